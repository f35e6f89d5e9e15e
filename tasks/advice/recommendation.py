"""The four methods of transfer learning, by how many images there are and what they are like."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tasks.advice.verdict import Verdict
from tasks.features.request import DEFAULT_TAP

# Images of the smallest class, from which a data set counts as large. ImageNet itself has 732 to
# 1,300 a class (O. Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, 2015).
LARGE = 1000

# (large, likeness): what to do, and why. The two by two is that of A. Karpathy et al., CS231n,
# Convolutional Neural Networks for Visual Recognition, "Transfer Learning" (Stanford).
_METHODS = {
    (False, "similar"): (
        "train a linear classifier on the bottleneck features, the backbone's output",
        "its last layers know such images; fine-tuning on so few would overfit",
    ),
    (False, "different"): (
        "train a linear classifier on the features of an earlier layer, {earlier}",
        "the last layers keep what tells ImageNet's classes apart, and lose what tells these; "
        "fine-tuning on so few would overfit",
    ),
    (True, "similar"): (
        "train a head on the bottleneck features, and fine-tune the last layers from there",
        "they know such images and need little change; so many images do not overfit them",
    ),
    (True, "different"): (
        "train a head on the bottleneck features, and fine-tune the whole backbone from there",
        "all layers have something to learn, and so many images can teach it; training from "
        "scratch is possible too, but pretrained weights are the better start",
    ),
    (False, "unknown"): (
        "train linear classifiers on the output and on an earlier layer, {earlier}, and compare",
        "the evidence does not say which is right; fine-tuning on so few images would overfit",
    ),
    (True, "unknown"): (
        "compare heads on the output and on an earlier layer, {earlier}; then fine-tune",
        "the evidence does not say how much of the backbone has to change, but so many images do "
        "not overfit it",
    ),
}
_NONE = (
    "none yet: see whether the labels are right and can be seen in the images, and add images",
    "what no layer tells better than guessing, no head on top of it learns",
)


@dataclass(frozen=True)
class Method:
    """What to do, why, and the commands for it, where RUN is what flows.train prints."""

    what: str
    why: str
    commands: tuple[str, ...]


@dataclass(frozen=True)
class Situation:
    """A data set, how large it is, and the layers that can be learned from."""

    dataset: str
    smallest_class: int  # its images in train and validation
    earlier: str  # the best layer before the output
    last_stage: str  # the layer after which the backbone's last stage begins
    flags: Callable[..., str]  # from taps to the flags of their features, as they are typed
    store: str  # the flag of the store, for flows that take no features

    @property
    def large(self) -> bool:
        """Whether there are images enough to fine-tune."""
        return self.smallest_class >= LARGE


def recommend(verdict: Verdict, situation: Situation) -> Method:
    """Return the method for a data set, and the commands to go on with."""
    if verdict.likeness == "unlearnable":
        return Method(*_NONE, ())
    what, why = _METHODS[situation.large, verdict.likeness]
    on_earlier = verdict.likeness == "different" and not situation.large
    taps = [situation.earlier, DEFAULT_TAP] if on_earlier else [DEFAULT_TAP, situation.earlier]
    commands = _heads(situation, taps[:1] if verdict.certainty == "agreed" else taps)
    if situation.large:
        commands += _fine_tuning(verdict, situation)
    return Method(what.format(earlier=situation.earlier), why, tuple(commands))


def _heads(situation: Situation, taps: Sequence[str]) -> list[str]:
    """Return how to train heads on the first of some taps, and to compare it with the others."""
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
