"""The heads that can be chosen by name, their settings, and the presets of the sources."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from tasks.errors import InputError

HeadKind = Literal["dense", "logistic", "svm"]
Preset = Literal["tutorial", "cabral", "resnet-softmax"]
HeadName = Literal["dense", "logistic", "svm", "tutorial", "cabral", "resnet-softmax"]
Output = Literal["logit", "sigmoid", "softmax"]
Schedule = Literal["constant", "cosine"]
ClassWeights = Literal["none", "balanced"]
# Those of keras.activations that work on each value by itself.
Activation = Literal[
    "relu",
    "leaky_relu",
    "relu6",
    "elu",
    "selu",
    "gelu",
    "silu",
    "mish",
    "softplus",
    "tanh",
    "sigmoid",
]


@dataclass(frozen=True)
class DenseHead:
    """Dropout and one output layer, after hidden layers if there are any; a map is flattened."""

    hidden_units: tuple[int, ...]
    activation: Activation
    dropout: float  # before the output, and between hidden layers
    output: Output  # logit or sigmoid: one unit for two classes; softmax: one unit a class
    optimizer: str
    learning_rate: float
    batch_size: int
    epochs: int
    schedule: Schedule = "constant"
    l2: float = 0.0  # of the kernels, as keras.regularizers.L2
    label_smoothing: float = 0.0
    class_weights: ClassWeights = "none"
    batch_norm: bool = False  # between a hidden layer and its activation
    patience: int | None = None  # epochs without a better validation loss; then the best is taken
    standardize: bool = False  # features, by the training images' mean and deviation
    kind: HeadKind = "dense"


@dataclass(frozen=True)
class LinearHead:
    """Logistic regression or a linear support vector machine, on standardised features."""

    kind: HeadKind
    inverse_regularization: float  # scikit-learn's C


Head = DenseHead | LinearHead


@dataclass(frozen=True)
class HeadSettings:
    """What a person may ask of heads beyond a name; None leaves the default."""

    hidden_units: list[int] | None = None
    activation: Activation | None = None
    dropout: float | None = None
    optimizer: str | None = None
    learning_rate: float | None = None
    epochs: int | None = None
    head_batch_size: int | None = None
    inverse_regularization: float | None = None


# Near the best on both of the data sets that this was tried with (photographs, digits).
_INVERSE_REGULARIZATION = {"logistic": 0.1, "svm": 0.01}

# TensorFlow's tutorial "Transfer learning and fine-tuning": global average pooling, Dropout(0.2),
# Dense(1) logit, Adam(1e-4), 10 epochs of batches of 32.
_TUTORIAL = DenseHead((), "relu", 0.2, "logit", "adam", 1e-4, 32, 10)
# The course of Cabral on VGG16 features: flatten, Dense(256, relu), Dropout(0.5), Dense(1,
# sigmoid), RMSprop with Keras's 1e-3, 100 epochs of batches of 64.
_CABRAL = DenseHead((256,), "relu", 0.5, "sigmoid", "rmsprop", 1e-3, 64, 100)
# The course on ResNet50 gives pooling and softmax; the rest are Keras's defaults and 10 epochs.
_RESNET_SOFTMAX = DenseHead((), "relu", 0.0, "softmax", "adam", 1e-3, 32, 10)

_PRESETS: dict[str, tuple[DenseHead, bool]] = {  # with whether it takes a map
    "tutorial": (_TUTORIAL, False),
    "cabral": (_CABRAL, True),
    "resnet-softmax": (_RESNET_SOFTMAX, False),
}


def make_heads(
    names: list[HeadName],
    settings: HeadSettings,
    *,
    classes: int,
    feature_shape: tuple[int, ...] | None = None,
) -> dict[str, Head]:
    """Return each named head's whole specification, for so many classes and such features.

    Where the shape is not known yet, what depends on it is not checked. Raises InputError for a
    preset that does not fit them, and for settings that no head takes.
    """
    heads: dict[str, Head] = {
        name: _make(name, settings, classes, feature_shape) for name in dict.fromkeys(names)
    }
    given = {f.name for f in fields(settings) if getattr(settings, f.name) is not None}
    free = {head.kind for name, head in heads.items() if name not in _PRESETS}
    taken = {"inverse_regularization"} if free & {"logistic", "svm"} else set()
    if "dense" in free:
        taken |= {f.name for f in fields(settings)} - {"inverse_regularization"}
    if ignored := sorted(given - taken):
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in ignored)
        raise InputError(
            f"{flags}: no head among {', '.join(names)} takes that; presets carry exactly their "
            "source's settings, --head dense takes any, --head logistic and svm take "
            "--inverse-regularization"
        )
    return heads


def specification(head: Head) -> dict[str, Any]:
    """Return a head as what a run's identity and record hold: plain JSON values."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(head).items()}


def _make(
    name: HeadName, settings: HeadSettings, classes: int, feature_shape: tuple[int, ...] | None
) -> Head:
    if name in get_args(Preset):
        return _preset(name, classes, feature_shape)
    if name == "dense":
        return DenseHead(
            hidden_units=tuple(settings.hidden_units or ()),
            activation=settings.activation or "relu",
            dropout=0.2 if settings.dropout is None else settings.dropout,
            output="logit" if classes == 2 else "softmax",
            optimizer=settings.optimizer or "adam",
            learning_rate=settings.learning_rate or 1e-3,
            batch_size=settings.head_batch_size or 32,
            epochs=settings.epochs or 20,
        )
    kind: HeadKind = "logistic" if name == "logistic" else "svm"
    return LinearHead(kind, settings.inverse_regularization or _INVERSE_REGULARIZATION[kind])


def _preset(name: str, classes: int, feature_shape: tuple[int, ...] | None) -> DenseHead:
    head, takes_map = _PRESETS[name]
    if head.output != "softmax" and classes != 2:
        raise InputError(
            f"--head {name} is for 2 classes, this data set has {classes}; use --head "
            "resnet-softmax, dense, logistic or svm"
        )
    if feature_shape is not None and takes_map != (len(feature_shape) == 3):
        expected, way = ("a map", "none") if takes_map else ("a pooled vector", "avg")
        raise InputError(
            f"--head {name} takes {expected}, these features have shape {feature_shape}; extract "
            f"with --pooling {way}"
        )
    return head
