"""Comparison of runs: the expected accuracy of the best of many, and whether two differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stores.keys import KEY_BYTES, from_arrow
from stores.runs.record import Run
from stores.runs.store import RunStore
from tasks.errors import InputError
from tasks.evaluation.group_effect import Groups, group_effect
from tasks.evaluation.paired_difference import score_interval, score_p_value
from tasks.evaluation.split_result import groups_of, wilson

Evaluated = Literal["validation", "test"]  # validation: all held-out images of a run with folds
DRAWS = 1000
CONFIDENCE = 0.95
_CELLS_AT_ONCE = 2**22  # of draws and images, or runs, in memory


@dataclass(frozen=True)
class RightAnswers:
    """Whether each run is right on each held-out image, (runs, images), and the images' groups."""

    right: NDArray[np.bool_]
    groups: Groups | None = None  # (images,)


@dataclass(frozen=True)
class Estimate:
    """An accuracy with its interval, over N images."""

    accuracy: float
    low: float
    high: float
    images: int


@dataclass(frozen=True)
class Difference:
    """How two runs differ on the same images."""

    images: int
    only_first: int  # images that only the first run has right
    only_second: int
    difference: float  # of the accuracies, second minus first
    low: float
    high: float
    p_value: float  # of McNemar's test


def held_out_answers(runs: RunStore, chosen: Sequence[Run]) -> RightAnswers:
    """Return which held-out images each run has right; of those that failed there is no row.

    Held out are the images of validation, or with folds all of train and validation. Raises
    InputError where the runs were not measured on the same images.
    """
    images, parts = b"", list[RightAnswers]()
    for run in (run for run in chosen if not run.failure):
        keys, answers = answers_of(runs, run.id, folds=run.folds)
        if parts and keys != images:
            raise not_same_images(run, chosen[0])
        images = keys
        parts.append(answers)
    return joined(parts)


def not_same_images(run: Run, first: Run) -> InputError:
    """Return the error of runs that cannot be compared."""
    return InputError(
        f"run {run.id[:16]} was not measured on the same images as {first.id[:16]}: "
        "compare runs of the same data set and the same --folds"
    )


def joined(parts: Sequence[RightAnswers]) -> RightAnswers:
    """Return the answers of several runs on the same images, with the groups of the first."""
    if not parts:
        return RightAnswers(np.empty((0, 0), np.bool_))
    return RightAnswers(np.concatenate([part.right for part in parts]), parts[0].groups)


def answers_of(
    runs: RunStore, run: str, *, folds: int, evaluated: Evaluated = "validation"
) -> tuple[bytes, RightAnswers]:
    """Return the keys of a run's held-out or test images, joined, and whether it has each right."""
    predicted = runs.predictions(run)
    splits = ["train", "validation"] if folds and evaluated == "validation" else [evaluated]
    rows = predicted.filter(pc.is_in(predicted["split"], pa.array(splits))).sort_by("key")
    right = pc.equal(rows["label"], rows["predicted"]).to_numpy().astype(np.bool_)
    keys = from_arrow(rows["key"].cast(pa.binary(KEY_BYTES))).tobytes()
    return keys, RightAnswers(right[np.newaxis], groups_of(rows))


def estimate_of_the_chosen(answers: RightAnswers, *, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """Estimate the accuracy of the run that is best, without the luck that made it the best."""
    return estimates_by_rank(answers, draws=draws, seed=seed)[0]


def estimates_by_rank(
    answers: RightAnswers, *, draws: int = DRAWS, seed: int = 0
) -> list[Estimate]:
    """Estimate the accuracy of the best run, of the second best and so on, without their luck.

    The best of many on the same images is too good on them, the second best a little less so, and
    the worst too bad. Each draw ranks the runs on images drawn with replacement, and measures each
    rank on those that were not drawn: I. Tsamardinos et al., Bootstrapping the out-of-sample
    predictions for efficient and accurate cross-validation, Machine Learning 107 (2018), 1895-1922,
    who do this for the best. Images of one group are drawn together. The interval is at least that
    of an accuracy on as many images (Wilson's; with groups on as many as these are worth): a
    handful that are all right says less than their draws do. One run alone was not chosen: its
    accuracy and Wilson's interval are returned.
    """
    runs, count = answers.right.shape
    means = answers.right.mean(axis=1)
    best_first = np.argsort(-means, kind="stable")
    worth = [count / group_effect(answers.right[n], answers.groups) for n in best_first]
    if runs == 1:
        return [_estimate(float(means[0]), worth[0], count)]
    scores = _scores_by_rank(answers, draws, seed)
    if not len(scores):  # a single image, or group
        return [Estimate(float(means[n]), 0.0, 1.0, count) for n in best_first]
    ends = np.quantile(scores, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)
    return [
        _estimate(float(accuracy), images, count, *drawn)
        for accuracy, images, drawn in zip(scores.mean(axis=0), worth, ends.T.tolist(), strict=True)
    ]


def _estimate(
    accuracy: float, worth: float, count: int, least: float = 1.0, most: float = 0.0
) -> Estimate:
    """Return an accuracy on images that are worth so many: Wilson's interval, or a wider one."""
    low, high = wilson(accuracy * worth, worth, confidence=CONFIDENCE)
    return Estimate(accuracy, min(least, low), max(most, high), count)


def _scores_by_rank(answers: RightAnswers, draws: int, seed: int) -> NDArray[np.float64]:
    """Return the accuracy of each rank on the images that a draw left out, (draws, runs)."""
    runs = len(answers.right)
    right, sizes = _by_group(answers)
    count = len(sizes)
    rng = np.random.default_rng(seed)
    at_once = max(1, _CELLS_AT_ONCE // max(runs, count))
    parts = [np.empty((0, runs))]
    for done in range(0, draws, at_once):
        size = min(at_once, draws - done)
        drawn = rng.multinomial(count, np.full(count, 1 / count), size=size)
        drawn = drawn[(drawn == 0).any(axis=1)]
        left_out = (drawn == 0).astype(np.float64)
        ranked = in_order_of(drawn @ right, left_out @ right)
        parts.append(ranked / (left_out @ sizes)[:, np.newaxis])
    return np.concatenate(parts)


def _by_group(answers: RightAnswers) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how many images of each group each run has right, (groups, runs), and their sizes.

    Without groups each image is one.
    """
    right = answers.right.astype(np.float64).T
    if answers.groups is None:
        return right, np.ones(len(right))
    order = np.argsort(answers.groups, kind="stable")
    _, first, sizes = np.unique(answers.groups[order], return_index=True, return_counts=True)
    return np.add.reduceat(right[order], first, axis=0), sizes.astype(np.float64)


def in_order_of(seen: NDArray[np.float64], measured: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each row of `measured` in the order of `seen`, the highest first.

    Of equals each gets their mean: no order of the runs decides.
    """
    order = np.argsort(-seen, axis=1, kind="stable")
    seen, measured = (np.take_along_axis(values, order, axis=1) for values in (seen, measured))
    starts = np.ones(seen.shape, np.bool_)
    starts[:, 1:] = seen[:, 1:] != seen[:, :-1]
    groups = np.cumsum(starts.ravel()) - 1
    means = np.bincount(groups, weights=measured.ravel()) / np.bincount(groups)
    return np.asarray(means[groups].reshape(seen.shape))


def compare(answers: RightAnswers, *, confidence: float = CONFIDENCE) -> Difference:
    """Compare two runs, (2, images), by what each has right where the other is wrong.

    The p-value is of McNemar's score test, and the interval is the score interval, which agrees
    with it. Images of one group count as many as they are worth.
    """
    first, second = answers.right
    images = len(first)
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    effect = group_effect(second.astype(np.int64) - first, answers.groups)
    worth = only_first / effect, only_second / effect
    low, high = score_interval(*worth, images / effect, confidence=confidence)
    return Difference(
        images=images,
        only_first=only_first,
        only_second=only_second,
        difference=(only_second - only_first) / max(1, images),
        low=low,
        high=high,
        p_value=score_p_value(*worth),
    )
