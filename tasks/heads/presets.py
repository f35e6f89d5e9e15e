"""The heads that can be chosen by name: the kinds with their settings, and the presets."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Literal, get_args, get_type_hints

from pydantic import ValidationError

from tasks.errors import InputError, unknown, what_is_wrong
from tasks.heads import KINDS, Head, find_kind

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
    # What follows the last map of LeNet-5 (LeCun et al. 1998, section II.B): C5, F6 and the output,
    # here of probabilities; 20 passes, as there. The rest are Keras's defaults.
    "lenet5": {
        "hidden_units": (120, 84),
        "activation": "tanh",
        "dropout": 0.0,
        "output": "softmax",
        "epochs": 20,
    },
    # What follows that of AlexNet (Krizhevsky et al. 2012, sections 3.5, 4.2 and 5): 90 passes of
    # batches of 128, gradient descent at 0.01, though without momentum and a rate that falls, and
    # a weight decay of 5e-4, which is the slope of this penalty.
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
# What follows from the data set, and is no setting of a person's.
_GIVEN = {"kind", "output"}
# The flags that are not called as their settings.
_FLAGS = {"batch_size": "head_batch_size"}


def make_heads(
    names: Sequence[str],
    settings: Mapping[str, Any],
    *,
    classes: int,
    feature_shape: tuple[int, ...] | None = None,
) -> dict[str, Head]:
    """Return each named head's whole specification, for so many classes and such features.

    A setting goes to each head that takes it. Where the shape is not known yet, what depends on it
    is not checked. Raises InputError for a preset that does not fit them, and for settings that no
    head takes.
    """
    heads: dict[str, Head] = {}
    for name in dict.fromkeys(names):
        if name in _PRESETS:
            heads[name] = _preset(name, classes, feature_shape)
        else:
            mine = {k: v for k, v in settings.items() if k in settings_of(name)}
            heads[name] = make_head(name, mine, classes=classes)
    taken = {setting for name in heads.keys() - _PRESETS.keys() for setting in settings_of(name)}
    if ignored := sorted(settings.keys() - taken):
        flags = ", ".join(map(flag_of, ignored))
        takers = [kind for kind in KINDS if settings.keys() & settings_of(kind)]
        raise InputError(
            f"{flags}: no head among {', '.join(names)} takes that; presets carry exactly their "
            f"source's settings; of the others it is for --head {' or '.join(takers)}"
        )
    return heads


def make_head(kind: str, settings: Mapping[str, Any], *, classes: int) -> Head:
    """Return the specification of a head of a kind, for so many classes.

    Raises InputError, which names the setting, what is expected and what came.
    """
    given = dict(settings)
    if kind == "dense":
        given["output"] = "logit" if classes == 2 else "softmax"
    try:
        head: Head = find_kind(kind).specification(**given)
    except ValidationError as error:
        mistakes = (_mistake(kind, dict(mistake)) for mistake in error.errors())
        raise InputError(f"head {kind}: {'; '.join(mistakes)}") from None
    return head


def settings_of(kind: str) -> list[str]:
    """Return the names of the settings that a kind of heads takes."""
    names = [field.name for field in fields(find_kind(kind).specification)]
    return [name for name in names if name not in _GIVEN]


def flag_of(setting: str) -> str:
    """Return the flag that says a setting."""
    return f"--{_FLAGS.get(setting, setting).replace('_', '-')}"


def takes_whole_numbers(kind: str, setting: str) -> bool:
    """Tell whether a setting of a kind of heads is a whole number."""
    hint = get_type_hints(find_kind(kind).specification)[setting]
    return int in (get_args(hint) or (hint,))


def _preset(name: str, classes: int, feature_shape: tuple[int, ...] | None) -> Head:
    settings = _PRESETS[name]
    if settings["output"] != "softmax" and classes != 2:
        raise InputError(
            f"--head {name} is for 2 classes, this data set has {classes}; use --head "
            "resnet-softmax, dense, logistic or svm"
        )
    takes_map = name in _MADE_FOR_MAPS
    if feature_shape is not None and takes_map != (len(feature_shape) == 3):
        expected, way = ("a map", "none") if takes_map else ("a pooled vector", "avg")
        raise InputError(
            f"--head {name} takes {expected}, these features have shape {feature_shape}; extract "
            f"with --pooling {way}"
        )
    head: Head = find_kind("dense").specification(**settings)
    return head


def _mistake(kind: str, mistake: dict[str, Any]) -> str:
    name = ".".join(map(str, mistake["loc"]))
    if mistake["type"] == "unexpected_keyword_argument":
        return str(unknown("setting", name, settings_of(kind)))
    return f"{name}: {what_is_wrong(mistake)}"
