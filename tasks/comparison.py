"""Honest comparison of runs: what a choice among many is worth, and whether two really differ."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stores.run import Run
from stores.runs import RunStore
from tasks.errors import InputError
from tasks.judged import wilson
from tasks.paired_difference import score_interval, score_p_value

Answers = NDArray[np.bool_]  # (runs, images): whether a run is right on a held-out image

DRAWS = 1000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """An accuracy with its interval, over so many images."""

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


def held_out_answers(runs: RunStore, chosen: Sequence[Run]) -> Answers:
    """Return which held-out images each run has right; of those that failed there is no row.

    Held out are the images of validation, or with folds all of train and validation. Raises
    InputError where the runs were not measured on the same images.
    """
    answers: dict[bytes, NDArray[np.bool_]] = {}
    rows = []
    for run in (run for run in chosen if not run.failure):
        keys, right = _answers(runs, run)
        if answers and keys not in answers:
            raise InputError(
                f"run {run.id[:16]} was not measured on the same images as {chosen[0].id[:16]}: "
                "compare runs of the same data set and the same --folds"
            )
        answers.setdefault(keys, right)
        rows.append(right)
    return np.array(rows, np.bool_)


def estimate_of_the_chosen(answers: Answers, *, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """Estimate the accuracy of the run that is best, without the luck that made it the best.

    The best of many on the same images is too good on them. Each draw chooses the best on images
    drawn with replacement, and measures it on those that were not drawn: I. Tsamardinos et al.,
    Bootstrapping the out-of-sample predictions for efficient and accurate cross-validation,
    Machine Learning 107 (2018), 1895-1922. The interval is at least that of an accuracy on so many
    images (Wilson's): a handful that are all right says less than their draws do.
    """
    count = answers.shape[1]
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=draws)
    drawn = drawn[(drawn == 0).any(axis=1)]
    if not len(drawn):  # a single image
        accuracy = float(answers.mean(axis=1).max())
        return Estimate(accuracy, 0.0, 1.0, count)
    right = answers.astype(np.float64).T
    seen = drawn @ right
    best = seen == seen.max(axis=1, keepdims=True)  # of equals, their mean: no order decides
    left_out = (drawn == 0).astype(np.float64)
    scores = (left_out @ right * best).sum(axis=1) / best.sum(axis=1) / left_out.sum(axis=1)
    accuracy = float(scores.mean())
    low, high = np.quantile(scores, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    least, most = wilson(accuracy * count, count, confidence=CONFIDENCE)
    return Estimate(accuracy, min(float(low), least), max(float(high), most), count)


def compare(answers: Answers) -> Difference:
    """Compare two runs, (2, images), by what each has right where the other is wrong.

    The p-value is of McNemar's score test, and the interval is the score interval, which agrees
    with it.
    """
    first, second = answers
    images = len(first)
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    low, high = score_interval(only_first, only_second, images, confidence=CONFIDENCE)
    return Difference(
        images=images,
        only_first=only_first,
        only_second=only_second,
        difference=(only_second - only_first) / max(1, images),
        low=low,
        high=high,
        p_value=score_p_value(only_first, only_second),
    )


def _answers(runs: RunStore, run: Run) -> tuple[bytes, NDArray[np.bool_]]:
    """Return the keys of a run's held-out images, joined, and whether it has each right."""
    told = runs.predictions(run.id)
    splits = ["train", "validation"] if run.folds else ["validation"]
    held_out = told.filter(pc.is_in(told["split"], pa.array(splits))).sort_by("key")
    right = pc.equal(held_out["label"], held_out["predicted"])
    return b"".join(held_out["key"].to_pylist()), right.to_numpy().astype(np.bool_)
