"""What is asked of a fine-tuning, and the methods by their names."""

from collections.abc import Mapping
from dataclasses import asdict, field
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from tasks.heads.setting_types import Count, Optimizer, Rate
from tasks.images.augmentation_names import NO_AUGMENTATION

Strategy = Literal["features", "partial", "top-layers", "full", "scratch"]
# What `unfreeze` says instead of a layer.
EVERYTHING, NOTHING = "all", "none"
MOST_VIEWS = 1000

# The column of a run's history that is 1 in the epochs of fine-tuning.
FINE_TUNED = "fine_tuned"

# A change of how the same specification is trained, by which other weights come out.
VERSION = 1
# Of those with a patience: in version 1 it looked at the validation images.
_VERSION_WITH_PATIENCE = 2

# Rates and optimisers where nothing is said. partial: TensorFlow's tutorial "Transfer learning and
# fine-tuning", which trains the head in front of a frozen base by Adam(1e-4), and then the top
# layers by RMSprop at a tenth of that; full: the same, for all weights are trained ones there too.
# scratch: nothing is to be kept, so Keras's own default. There alone the statistics of batch
# normalisation are to be found as well: those of untrained weights normalise nothing.
DEFAULTS: dict[Strategy, dict[str, Any]] = {
    "partial": {"optimizer": "adam", "learning_rate": 1e-4, "train_batch_norm": False},
    "top-layers": {"optimizer": "rmsprop", "learning_rate": 1e-5, "train_batch_norm": False},
    "full": {"optimizer": "rmsprop", "learning_rate": 1e-5, "train_batch_norm": False},
    "scratch": {"optimizer": "adam", "learning_rate": 1e-3, "train_batch_norm": True},
}


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class FineTuning:
    """Everything that decides what a backbone and a head learn together, but for their start."""

    strategy: Strategy
    unfreeze: str  # the first layer that is trained, EVERYTHING, or NOTHING but the head
    optimizer: Optimizer
    learning_rate: Rate
    train_batch_norm: bool  # its statistics too; otherwise it stays in inference mode
    epochs: Count = 10
    batch_size: Count = 32
    # Epochs without a better loss of the images set aside for it; then the best is taken.
    patience: Count | None = None
    augmentation: str = NO_AUGMENTATION
    # Fixed augmented views of an image, of which each epoch draws one; 0: each draws anew.
    views: Annotated[int, Field(ge=0, le=MOST_VIEWS)] = 0
    untrained_head: bool = False  # it begins with weights drawn by chance

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


# Settings of a dense head that say how it learned by itself: nothing of them is in the network.
_OF_HEADS_TRAINING = {"optimizer", "learning_rate", "batch_size", "epochs", "schedule", "patience"}
_IN_WORDS = {
    "partial": "the head alone, in front of the frozen backbone",
    "top-layers": "the head and the backbone from {unfreeze} on",
    "full": "the head and all of the backbone",
    "scratch": "the head and all of the backbone, from untrained weights",
}


def in_words(finetuning: Mapping[str, Any]) -> str:
    """Return what was trained, as a run's record has it, for people."""
    strategy = _IN_WORDS.get(finetuning["strategy"], "an unknown strategy, from {unfreeze}")
    told = strategy.format(unfreeze=finetuning["unfreeze"])
    most = "up to " if finetuning.get("patience") else ""
    epochs = f"{finetuning['epochs']} epoch{'' if finetuning['epochs'] == 1 else 's'}"
    rate = f"a rate of {finetuning['learning_rate']:g}"
    told += f", {most}{epochs} of {finetuning['optimizer']} at {rate}"
    if finetuning["augmentation"] != NO_AUGMENTATION:
        views = f" ({finetuning['views']} views)" if finetuning.get("views") else ""
        told += f", images augmented by {finetuning['augmentation']}{views}"
    return told


def head_settings(head: Mapping[str, Any], finetuning: Mapping[str, Any]) -> dict[str, Any]:
    """Return a head's settings, without those of its own training where that was fine-tuned."""
    return {name: head[name] for name in head if not (finetuning and name in _OF_HEADS_TRAINING)}


def settings_told(finetuning: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that tell one fine-tuning from another: no switch that is off."""
    names = [name for name in finetuning if name not in {"version", "started_from"}]
    off = (None, 0, False, NO_AUGMENTATION)
    return {name: finetuning[name] for name in names if finetuning[name] not in off}
