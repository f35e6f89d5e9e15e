"""Heads by name: the kinds with their settings, and the presets."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Literal, get_args, get_type_hints

from pydantic import ValidationError

from tasks.errors import InputError, unknown, what_is_wrong
from tasks.heads import KINDS, Head, find_kind

if TYPE_CHECKING:  # `--help` shows the names of the heads, and imports no numpy
    from stores.targets import Target

_PRESETS: dict[str, dict[str, Any]] = {
    # TensorFlow's tutorial "Transfer learning and fine-tuning": global average pooling,
    # Dropout(0.2), Dense(1) logit, Adam(1e-4), 10 epochs of batches of 32.
    "tutorial": {"dropout": 0.2, "output": "logit", "learning_rate": 1e-4, "epochs": 10},
    # The course of Cabral on VGG16 features: flatten, Dense(256, relu), Dropout(0.5), Dense(1,
    # sigmoid), RMSprop with Keras's 1e-3, 100 epochs of batches of 64.
    "cabral": {
        "hidden_units": (256,),
        "dropout": 0.5,
        "output": "sigmoid",
        "optimizer": "rmsprop",
        "batch_size": 64,
        "epochs": 100,
    },
    # The course on ResNet50 gives pooling and softmax; the rest are Keras's defaults, 10 epochs.
    "resnet-softmax": {"dropout": 0.0, "output": "softmax", "epochs": 10},
    # The layers after the last map of LeNet-5 (LeCun et al. 1998, section II.B): C5, F6 and the
    # output, here of probabilities; 20 epochs, as there. The rest are Keras's defaults.
    "lenet5": {
        "hidden_units": (120, 84),
        "activation": "tanh",
        "dropout": 0.0,
        "output": "softmax",
        "epochs": 20,
    },
    # The layers after the last map of AlexNet (Krizhevsky et al. 2012, sections 3.5, 4.2 and 5):
    # 90 epochs, batches of 128, gradient descent at 0.01, here without momentum and a decreasing
    # rate, and a weight decay of 5e-4, which is the gradient of this penalty.
    "alexnet": {
        "hidden_units": (4096, 4096),
        "dropout": 0.5,
        "output": "softmax",
        "optimizer": "sgd",
        "learning_rate": 0.01,
        "batch_size": 128,
        "epochs": 90,
        "l2": 2.5e-4,
    },
}
# A new kind is known by its line in tasks.heads, a new preset by its entry above.
if TYPE_CHECKING:
    HeadName = str
else:
    HeadName = Literal[(*KINDS, *_PRESETS)]
_MADE_FOR_MAPS = {"cabral", "lenet5", "alexnet"}
# The heads that are trained if none is requested.
DEFAULT_HEADS: "dict[Target, tuple[str, ...]]" = {
    "classes": ("dense", "logistic", "svm"),
    "labels": ("dense", "logistic", "ridge"),
    "number": ("ridge", "dense", "knn"),
}
# Defaults of dense for several labels and for a number. Those of classes take too few steps for
# these, and without a hidden layer it learns no more than ridge.
_DENSE_OF_OTHERS: dict[str, Any] = {
    "hidden_units": (128,),
    "learning_rate": 5e-3,
    "epochs": 30,
    "standardize": True,
}
# These follow from the data set, and cannot be set.
_GIVEN = {"kind", "output"}
# A number has no classes to smooth or to weight.
_OF_CLASSES = {"label_smoothing", "class_weights"}
_IN_WORDS: "dict[Target, str]" = {
    "classes": "classes",
    "labels": "several labels",
    "number": "a number",
}
# Flags with another name than their setting.
_FLAGS = {"batch_size": "head_batch_size"}


def make_heads(
    names: Sequence[str],
    settings: Mapping[str, Any],
    *,
    classes: int,
    target: "Target" = "classes",
    feature_shape: tuple[int, ...] | None = None,
) -> dict[str, Head]:
    """Return the specification of each named head, for a number of classes and a feature shape.

    A setting is used for each head that has it. Without a shape, presets are not checked against
    it. Raises InputError for a head that cannot learn the target, a preset that does not fit, and
    settings that no head has.
    """
    heads: dict[str, Head] = {}
    for name in dict.fromkeys(names):
        if name in _PRESETS:
            check_learns(name, target)
            heads[name] = _preset(name, classes, feature_shape)
        else:
            mine = {k: v for k, v in settings.items() if k in settings_of(name, target)}
            heads[name] = make_head(name, mine, classes=classes, target=target)
    check_taken(names, settings, target)
    return heads


def make_head(
    kind: str, settings: Mapping[str, Any], *, classes: int, target: "Target" = "classes"
) -> Head:
    """Return the specification of a head of a kind, for a number of classes or labels.

    Raises InputError for a kind that cannot learn the target, and with the setting, the expected
    and the received value.
    """
    check_learns(kind, target)
    given = {} if kind != "dense" or target == "classes" else dict(_DENSE_OF_OTHERS)
    given |= settings
    if target == "number" and (strange := sorted(given.keys() & _OF_CLASSES)):
        raise InputError(f"head {kind}: {strange[0]} is for classes and labels; leave it out")
    if kind == "dense":
        of_classes = "logit" if classes == 2 else "softmax"
        given["output"] = {"labels": "sigmoids", "number": "number"}.get(target, of_classes)
    try:
        head: Head = find_kind(kind).specification(**given)
    except ValidationError as error:
        mistakes = (_mistake(kind, dict(mistake)) for mistake in error.errors())
        raise InputError(f"head {kind}: {'; '.join(mistakes)}") from None
    return head


def check_taken(
    names: Sequence[str], settings: Mapping[str, Any], target: "Target" = "classes"
) -> None:
    """Raise InputError for settings that none of the named heads has."""
    kinds = [name for name in names if name not in _PRESETS]
    taken = {setting for kind in kinds for setting in settings_of(kind, target)}
    if not (ignored := sorted(settings.keys() - taken)):
        return
    flags = ", ".join(map(flag_of, ignored))
    able = [kind for kind in KINDS if target in find_kind(kind).targets]
    takers = [kind for kind in able if set(ignored) & set(settings_of(kind, target))]
    if not takers:
        raise InputError(
            f"{flags}: not a setting of a head that learns {_IN_WORDS[target]}; leave it out"
        )
    raise InputError(
        f"{flags}: not a setting of --head {', '.join(names)} (presets have fixed settings); "
        f"use it with --head {' or '.join(takers)}"
    )


def check_learns(name: str, target: "Target") -> None:
    """Raise InputError for a head, a kind or a preset, that cannot learn a target."""
    targets = ("classes",) if name in _PRESETS else find_kind(name).targets
    if target not in targets:
        able = ", ".join(kind for kind in KINDS if target in find_kind(kind).targets)
        raise InputError(f"head {name}: cannot learn {_IN_WORDS[target]}; expected one of {able}")


def settings_of(kind: str, target: "Target" = "classes") -> list[str]:
    """Return the names of the settings of a kind of heads for a target."""
    names = [field.name for field in fields(find_kind(kind).specification)]
    hidden = _GIVEN | (_OF_CLASSES if target == "number" else set())
    return [name for name in names if name not in hidden]


def flag_of(setting: str) -> str:
    """Return the flag of a setting."""
    return f"--{_FLAGS.get(setting, setting).replace('_', '-')}"


def takes_whole_numbers(kind: str, setting: str) -> bool:
    """Return whether a setting of a kind of heads is an integer."""
    hint = get_type_hints(find_kind(kind).specification)[setting]
    return int in (get_args(hint) or (hint,))


def _preset(name: str, classes: int, feature_shape: tuple[int, ...] | None) -> Head:
    settings = _PRESETS[name]
    if settings["output"] != "softmax" and classes != 2:
        raise InputError(
            f"--head {name}: expected a data set with 2 classes, received {classes}; use --head "
            "resnet-softmax, dense, logistic or svm"
        )
    takes_map = name in _MADE_FOR_MAPS
    if feature_shape is not None and takes_map != (len(feature_shape) == 3):
        expected, pooling = ("feature maps", "none") if takes_map else ("pooled features", "avg")
        raise InputError(
            f"--head {name}: expected {expected}, received features of shape {feature_shape}; "
            f"extract with --pooling {pooling}"
        )
    head: Head = find_kind("dense").specification(**settings)
    return head


def _mistake(kind: str, mistake: dict[str, Any]) -> str:
    name = ".".join(map(str, mistake["loc"]))
    if mistake["type"] == "unexpected_keyword_argument":
        return str(unknown("setting", name, settings_of(kind)))
    return f"{name}: {what_is_wrong(mistake)}"
