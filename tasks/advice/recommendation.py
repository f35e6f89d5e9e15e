"""The four methods of transfer learning, by size and similarity of the data set."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tasks.advice.verdict import Verdict
from tasks.features.request import DEFAULT_TAP

# A data set is large if its smallest class has this number of images. ImageNet has 732 to 1,300 per
# class (O. Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, 2015).
LARGE = 1000

# (large, likeness): what to do, and why. After A. Karpathy et al., CS231n, Convolutional Neural
# Networks for Visual Recognition, "Transfer Learning" (Stanford).
_METHODS = {
    (False, "similar"): (
        "train a linear classifier on the bottleneck features, the backbone's output",
        "the last layers fit these images; fine-tuning on few images would overfit",
    ),
    (False, "different"): (
        "train a linear classifier on the features of an earlier layer, {earlier}",
        "the last layers are specific to ImageNet's classes; fine-tuning on few images would "
        "overfit",
    ),
    (True, "similar"): (
        "train a head on the bottleneck features, then fine-tune the last layers",
        "the last layers fit these images and need little change; many images do not overfit",
    ),
    (True, "different"): (
        "train a head on the bottleneck features, then fine-tune the whole backbone",
        "all layers have to adapt, and there are enough images; training from scratch is possible "
        "too, but pretrained weights are the better start",
    ),
    (False, "unknown"): (
        "train linear classifiers on the output and on an earlier layer, {earlier}, and compare",
        "the evidence is inconclusive; fine-tuning on few images would overfit",
    ),
    (True, "unknown"): (
        "compare heads on the output and on an earlier layer, {earlier}; then fine-tune",
        "the evidence does not show how much of the backbone has to adapt; many images do not "
        "overfit",
    ),
}
_NOT_TUNABLE = (
    "train heads on the output and on an earlier layer, {earlier}, and compare",
    "there are enough images for fine-tuning, but the backbone's file is for inference only; a "
    "Keras model, in a .keras file or by name, can be fine-tuned",
)
_NONE = (
    "none yet: check that the labels are correct and visible in the images, and add images",
    "no layer is better than random guessing, so that no head would be",
)


@dataclass(frozen=True)
class Method:
    """What to do, why, and the commands for it; RUN is the id that flows.train prints."""

    what: str
    why: str
    commands: tuple[str, ...]


@dataclass(frozen=True)
class Situation:
    """A data set, its size, and the layers to use."""

    dataset: str
    smallest_class: int  # the number of its train and validation images
    earlier: str  # the best layer before the output
    last_stage: str  # the layer after which the backbone's last stage begins
    flags: Callable[..., str]  # from taps to the flags of their features
    store: str  # the flag of the store, for flows without features
    tunable: bool = True  # whether the backbone can be trained

    @property
    def large(self) -> bool:
        """Whether there are enough images for fine-tuning."""
        return self.smallest_class >= LARGE


def recommend(verdict: Verdict, situation: Situation) -> Method:
    """Return the method for a data set, with its commands."""
    if verdict.likeness == "unlearnable":
        return Method(*_NONE, ())
    what, why = _METHODS[situation.large, verdict.likeness]
    tuned = situation.large and situation.tunable
    if situation.large and not tuned:
        what, why = _NOT_TUNABLE
    on_earlier = verdict.likeness == "different" and not situation.large
    taps = [situation.earlier, DEFAULT_TAP] if on_earlier else [DEFAULT_TAP, situation.earlier]
    alone = verdict.certainty == "agreed" and (tuned or not situation.large)
    commands = _heads(situation, taps[:1] if alone else taps)
    if tuned:
        commands += _fine_tuning(verdict, situation)
    return Method(what.format(earlier=situation.earlier), why, tuple(commands))


def _heads(situation: Situation, taps: Sequence[str]) -> list[str]:
    """Return the commands that train heads on the first tap, and compare it with the others."""
    first, *others = taps
    heads = "--head=dense" if situation.large else "--head=logistic --head=svm --head=ridge"
    commands = [
        _command("extract", situation.dataset, situation.flags(*taps)),
        _command("train", situation.dataset, situation.flags(first), heads),
    ]
    sweep = "--head=logistic --folds=5 --grid="
    if others:
        tried, tap = f"tap={shlex.quote(','.join(taps))}", DEFAULT_TAP
        commands.append(_command("sweep", situation.dataset, situation.flags(tap), sweep + tried))
    elif not situation.large:
        tried = "inverse_regularization=0.001,0.01,0.1,1"
        commands.append(_command("sweep", situation.dataset, situation.flags(first), sweep + tried))
    return commands


def _fine_tuning(verdict: Verdict, situation: Situation) -> list[str]:
    last_layers = f"--strategy=top-layers --unfreeze={shlex.quote(situation.last_stage)}"
    strategies = {
        "similar": [last_layers],
        "different": ["--strategy=full", "--strategy=scratch"],
        "unknown": [last_layers, "--strategy=full"],
    }
    return [
        _command("finetune", "RUN", situation.store, strategy)
        for strategy in strategies[verdict.likeness]
    ]


def _command(flow: str, about: str, *flags: str) -> str:
    return " ".join(["python -m", f"flows.{flow}", shlex.quote(about), *filter(None, flags)])
