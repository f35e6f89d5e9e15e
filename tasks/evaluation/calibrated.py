"""A run's calibration, and what it is worth on images that it was not fitted on."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from stores.errors import CorruptStore
from stores.runs.record import Run
from stores.runs.store import RunStore
from tasks.errors import InputError
from tasks.evaluation.calibration import Calibration, ScoreKind, calibrate
from tasks.evaluation.group_effect import group_effect
from tasks.evaluation.metrics import Bin, CalibrationError, calibration_error, reliability
from tasks.evaluation.prediction_sets import HeldOut, held_out, set_rule
from tasks.evaluation.set_names import SetKind
from tasks.evaluation.split_result import SplitResult, evaluate, wilson
from tasks.heads import KINDS, find_kind

PARTS = 5  # of the held-out images: each is measured by what the others say
COVERAGE = 0.9  # of the sets that a report measures
SETS: tuple[SetKind, ...] = ("lac", "aps")


@dataclass(frozen=True)
class Calibrated:
    """A calibration, and the held-out images that it was fitted on, for sets of classes."""

    calibration: Calibration
    held_out: HeldOut


@dataclass(frozen=True)
class Worth:
    """What probabilities are worth on some images."""

    log_loss: float
    low: float  # of its 95% interval
    high: float
    error: CalibrationError | None  # None: too few images
    bins: list[Bin]


@dataclass(frozen=True)
class Coverage:
    """How often sets of classes held the true one, and how large they were."""

    kind: SetKind
    share: float
    low: float  # of its 95% interval
    high: float
    mean_size: float
    unsure: float  # share of the images whose set is not one class


@dataclass(frozen=True)
class Honest:
    """Probabilities of images by calibrations that were not fitted on them, and their worth."""

    probabilities: NDArray[np.float64]  # (n, classes)
    before: Worth
    after: Worth
    coverages: list[Coverage]
    too_few: str  # why sets were not measured; '' where they were
    calibration: Calibration  # of all held-out images, as `predict` uses it


def score_kind(run: Run) -> ScoreKind:
    """Return what a run's scores are; those of a kind that is not known are taken for margins."""
    kind = str(run.head.get("kind"))
    return find_kind(kind).scores if kind in KINDS else "margin"


def calibrated_run(runs: RunStore, run: Run) -> Calibrated:
    """Return the calibration of a run by the images that it held out.

    A run whose predictions are damaged still predicts, and is not calibrated.
    """
    kind = score_kind(run)
    try:
        predictions = runs.predictions(run.id)
    except CorruptStore as error:
        return not_calibrated(kind, str(error))
    result = evaluate(predictions, split="validation", classes=run.classes, folds=run.folds)
    return calibrated(result, kind)


def not_calibrated(kind: ScoreKind, why_not: str) -> Calibrated:
    """Return scores as they are, with the reason, and without a held-out image."""
    nothing = HeldOut(np.empty(0, np.int64), np.empty(0), np.empty(0))
    return Calibrated(Calibration(kind, why_not=why_not), nothing)


def calibrated(result: SplitResult, kind: ScoreKind) -> Calibrated:
    """Return the calibration by the images of a result."""
    calibration = calibrate(result.scores, result.true, kind=kind)
    probabilities = calibration.probabilities(result.scores)
    return Calibrated(calibration, held_out(probabilities, result.true, result.groups))


def honest(shown: SplitResult, held: SplitResult, kind: ScoreKind) -> Honest:
    """Return the probabilities of the images of a result, and what they are worth.

    Those of the test split are by all `held`-out images. Those of held-out images are by the others
    of them, in parts that keep groups together.
    """
    before = Calibration(kind).probabilities(shown.scores)
    after = np.empty_like(before)
    sets = {one: np.zeros(before.shape, np.bool_) for one in SETS}
    too_few = ""
    for places, others in _parts(shown, held):
        found = calibrated(others, kind)
        after[places] = found.calibration.probabilities(shown.scores[places])
        for one in SETS:
            try:
                rule = set_rule(found.held_out, shown.classes, COVERAGE, kind=one)
            except InputError as error:
                too_few = str(error).removeprefix("--coverage ")
                continue
            sets[one][places] = rule.sets(after[places])
    measured = [] if too_few else [_coverage(one, sets[one], shown) for one in SETS]
    return Honest(
        after,
        _worth(before, shown),
        _worth(after, shown),
        measured,
        too_few,
        calibrate(held.scores, held.true, kind=kind),
    )


def _parts(
    shown: SplitResult, held: SplitResult
) -> Iterator[tuple[NDArray[np.int64], SplitResult]]:
    """Yield the places of some images, and a result of others to calibrate by."""
    if shown.split == "test":
        yield np.arange(len(shown.keys)), held
        return
    # In the order of the keys, which are digests, a part is drawn by chance.
    numbers = np.arange(len(shown.keys))
    if shown.groups is not None:
        numbers = np.unique(shown.groups, return_inverse=True)[1]
    for part in range(PARTS):
        chosen = numbers % PARTS == part
        yield np.flatnonzero(chosen), _of(shown, ~chosen)


def _of(result: SplitResult, chosen: NDArray[np.bool_]) -> SplitResult:
    return SplitResult(
        result.split,
        result.classes,
        result.keys[chosen],
        result.true[chosen],
        result.predicted[chosen],
        result.scores[chosen],
        None if result.groups is None else result.groups[chosen],
    )


def _worth(probabilities: NDArray[np.float64], result: SplitResult) -> Worth:
    own = probabilities[np.arange(len(result.true)), result.true]
    losses = -np.log(np.maximum(own, np.finfo(np.float64).tiny))
    effect = group_effect(losses, result.groups)
    deviation = float(losses.std(ddof=1)) if len(losses) > 1 else 0.0
    half = NormalDist().inv_cdf(0.975) * deviation * float(np.sqrt(effect / len(losses)))
    mean = float(losses.mean())
    return Worth(
        mean,
        max(0.0, mean - half),
        mean + half,
        calibration_error(probabilities, result.true, result.groups),
        reliability(probabilities, result.true),
    )


def _coverage(kind: SetKind, sets: NDArray[np.bool_], result: SplitResult) -> Coverage:
    holds = sets[np.arange(len(result.true)), result.true]
    effect = group_effect(holds, result.groups)
    low, high = wilson(float(holds.sum()) / effect, len(holds) / effect)
    sizes = sets.sum(axis=1)
    share, unsure = float(holds.mean()), float((sizes != 1).mean())
    return Coverage(kind, share, low, high, float(sizes.mean()), unsure)
