"""The specification of a fine-tuning, and the strategies by name. Light: `--help` imports it."""

from collections.abc import Mapping
from dataclasses import asdict, field
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from tasks.heads.setting_types import Count, Optimizer, Rate
from tasks.images.augmentation_names import NO_AUGMENTATION

Strategy = Literal["features", "partial", "top-layers", "full", "scratch"]
# Values of `unfreeze` that are not layers.
EVERYTHING, NOTHING = "all", "none"
MOST_VIEWS = 1000

# The column of a run's history that is 1 in the epochs of fine-tuning.
FINE_TUNED = "fine_tuned"

# Raised when the same specification gives other weights.
VERSION = 1
# For specifications with a patience: in version 1, early stopping used the validation images.
_VERSION_WITH_PATIENCE = 2

# The defaults. partial: as in TensorFlow's tutorial "Transfer learning and fine-tuning", which
# trains the head on a frozen base with Adam(1e-4), and then the top layers with RMSprop at a tenth
# of that. full: the same as top-layers, because all weights are pretrained. scratch: Keras's
# default. Only there the statistics of batch normalization are updated, because those of untrained
# weights are meaningless.
DEFAULTS: dict[Strategy, dict[str, Any]] = {
    "partial": {"optimizer": "adam", "learning_rate": 1e-4, "train_batch_norm": False},
    "top-layers": {"optimizer": "rmsprop", "learning_rate": 1e-5, "train_batch_norm": False},
    "full": {"optimizer": "rmsprop", "learning_rate": 1e-5, "train_batch_norm": False},
    "scratch": {"optimizer": "adam", "learning_rate": 1e-3, "train_batch_norm": True},
}


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class FineTuning:
    """Everything that determines the result of a fine-tuning, except the initial weights."""

    strategy: Strategy
    unfreeze: str  # the first trained layer, EVERYTHING, or NOTHING (only the head)
    optimizer: Optimizer
    learning_rate: Rate
    train_batch_norm: bool  # update its statistics; otherwise it is in inference mode
    epochs: Count = 10
    batch_size: Count = 32
    # Early stopping after this number of epochs without a lower loss; restores the best epoch.
    patience: Count | None = None
    augmentation: str = NO_AUGMENTATION
    # Number of fixed augmented views of an image; 0: new augmentations in every epoch.
    views: Annotated[int, Field(ge=0, le=MOST_VIEWS)] = 0
    untrained_head: bool = False  # start with random weights of the head

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a run's identity and record."""
        return asdict(self) | {"version": _VERSION_WITH_PATIENCE if self.patience else VERSION}


@dataclass(frozen=True)
class Request:
    """A fine-tuning as requested; None: the default of the strategy, or the value of the run."""

    strategy: Strategy
    unfreeze: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)  # of FineTuning, set explicitly
    seed: int | None = None
    image_size: int | None = None
    weights: str | None = None
    from_cache: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)  # stored with the run


# Settings of a dense head that concern only its training on features.
_OF_HEADS_TRAINING = {"optimizer", "learning_rate", "batch_size", "epochs", "schedule", "patience"}
_IN_WORDS = {
    "partial": "only the head, on the frozen backbone",
    "top-layers": "the head and the backbone from {unfreeze} on",
    "full": "the head and the whole backbone",
    "scratch": "the head and the whole backbone, from untrained weights",
}


def in_words(finetuning: Mapping[str, Any]) -> str:
    """Return a description of a fine-tuning, as stored in a run's record."""
    strategy = _IN_WORDS.get(finetuning["strategy"], "an unknown strategy, from {unfreeze}")
    text = strategy.format(unfreeze=finetuning["unfreeze"])
    most = "up to " if finetuning.get("patience") else ""
    epochs = f"{finetuning['epochs']} epoch{'' if finetuning['epochs'] == 1 else 's'}"
    rate = f"a learning rate of {finetuning['learning_rate']:g}"
    text += f", {most}{epochs} of {finetuning['optimizer']} with {rate}"
    if finetuning["augmentation"] != NO_AUGMENTATION:
        views = f" ({finetuning['views']} views)" if finetuning.get("views") else ""
        text += f", images augmented by {finetuning['augmentation']}{views}"
    return text


def head_settings(head: Mapping[str, Any], finetuning: Mapping[str, Any]) -> dict[str, Any]:
    """Return a head's settings, for a fine-tuned run without those of training on features."""
    return {name: head[name] for name in head if not (finetuning and name in _OF_HEADS_TRAINING)}


def distinct_settings(finetuning: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that distinguish fine-tunings, without those that are off."""
    names = [name for name in finetuning if name not in {"version", "started_from"}]
    off = (None, 0, False, NO_AUGMENTATION)
    return {name: finetuning[name] for name in names if finetuning[name] not in off}
