"""A run's predictions of several labels on one split: figures of each label, and mistakes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stores.keys import Keys
from stores.manifest import Split
from stores.runs.record import Run
from tasks.evaluation.bootstrap import Measured, measured, not_certain
from tasks.evaluation.calibrated import score_kind
from tasks.evaluation.held_out_scores import Scored, independent_answers, scored
from tasks.evaluation.label_metrics import average_precisions, macro_f1, mean_average_precision
from tasks.evaluation.label_thresholds import (
    Thresholds,
    best_thresholds,
    natural_threshold,
    predicted_by_others,
)
from tasks.evaluation.weighted_figures import WeightedPrecision, weighted_macro_f1


@dataclass(frozen=True)
class LabelResult:
    """How well one label is told."""

    name: str
    images: int  # that have it
    average_precision: float | None  # None: no image has it
    threshold: float
    precision: float | None  # None: no image is predicted to have it
    recall: float | None

    @property
    def f1(self) -> float | None:
        """The harmonic mean of recall and precision; None where no image has the label."""
        if self.recall is None:
            return None
        both = (self.precision or 0.0) + self.recall
        return 2 * (self.precision or 0.0) * self.recall / both if both else 0.0


@dataclass(frozen=True)
class LabelMistake:
    """An image with wrong or missing labels."""

    place: int  # among the images of the result
    missing: tuple[str, ...]  # labels that it has, and that are not predicted
    wrong: tuple[str, ...]  # labels that are predicted, and that it does not have


@dataclass(frozen=True)
class LabelsResult:
    """Predictions of one split. The thresholds are those of all held-out images.

    On the test split each image is compared with them. Of the held-out images themselves, each
    fifth is compared with the thresholds of the other four: no image is compared with a threshold
    that it has helped to choose.
    """

    images: Scored
    labels: tuple[str, ...]
    natural: float  # threshold
    thresholds: Thresholds
    predicted: NDArray[np.bool_]  # (n, labels)

    @property
    def split(self) -> Split:
        """The split that the images are of."""
        return self.images.split

    @property
    def keys(self) -> Keys:
        """The images' keys, (n, 32)."""
        return self.images.keys

    @cached_property
    def mean_average_precision(self) -> Measured | None:
        """The mean over the labels that an image has; None without any."""
        scores, truth = self.images.scores, self.images.truth
        value = mean_average_precision(scores, truth.astype(np.int64))
        if value is None:
            return None
        of_weights = WeightedPrecision(scores, truth)
        found = measured(value, of_weights, len(truth), self.images.groups)
        return not_certain(found, independent_answers(self.images))

    @cached_property
    def macro_f1(self) -> Measured | None:
        """The mean F1 at the thresholds, over the labels that an image has; None without any."""
        truth = self.images.truth
        if not truth.any():
            return None
        value = macro_f1(self.predicted.astype(np.int64), truth.astype(np.int64))
        of_weights = partial(weighted_macro_f1, self.predicted, truth)
        found = measured(value, of_weights, len(truth), self.images.groups)
        return not_certain(found, independent_answers(self.images))

    @property
    def exact(self) -> int:
        """The number of images whose labels are all predicted, and no other."""
        return int((self.predicted == (self.images.truth == 1)).all(axis=1).sum())

    @property
    def by_chance(self) -> float | None:
        """The mean average precision of scores by chance: the mean share of images with a label."""
        return chance(self.images.truth)

    def per_label(self) -> list[LabelResult]:
        """Return the result of each label."""
        has = self.images.truth == 1
        right = (self.predicted & has).sum(axis=0)
        given, true = self.predicted.sum(axis=0), has.sum(axis=0)
        precisions = average_precisions(self.images.scores, has.astype(np.int64))
        return [
            LabelResult(
                name=name,
                images=int(true[n]),
                average_precision=float(precisions[n]) if true[n] else None,
                threshold=float(self.thresholds[n]),
                precision=float(right[n] / given[n]) if given[n] else None,
                recall=float(right[n] / true[n]) if true[n] else None,
            )
            for n, name in enumerate(self.labels)
        ]

    def mistakes(self) -> list[LabelMistake]:
        """Return the images with a mistake: first those whose score is farthest on the wrong side.

        How far is counted in the standard deviation of the label's scores.
        """
        has = self.images.truth == 1
        wrong = self.predicted != has
        with np.errstate(over="ignore", invalid="ignore"):
            scale = self.images.scores.std(axis=0) if len(has) else np.ones(len(self.labels))
            far = np.abs(self.images.scores - self.thresholds) / np.where(scale > 0, scale, 1.0)
        worst = np.where(wrong, np.nan_to_num(far), -1.0).max(axis=1, initial=-1.0)
        order = np.argsort(-worst, kind="stable")[: int(wrong.any(axis=1).sum())]
        return [
            LabelMistake(
                int(n),
                missing=names_of(wrong[n] & has[n], self.labels),
                wrong=names_of(wrong[n] & ~has[n], self.labels),
            )
            for n in order
        ]


def labels_result(predictions: pa.Table, run: Run, split: Split) -> LabelsResult:
    """Return the result of a run's predictions (see RunStore.predictions) on one split."""
    held = scored(predictions, split="validation", outputs=len(run.classes), folds=run.folds)
    natural = natural_threshold(score_kind(run))
    thresholds = best_thresholds(held.scores, held.truth, natural=natural)
    if split == "validation":
        predicted = predicted_by_others(
            held.scores, held.truth, natural=natural, groups=held.groups
        )
        return LabelsResult(held, run.classes, natural, thresholds, predicted)
    images = scored(predictions, split=split, outputs=len(run.classes))
    return LabelsResult(images, run.classes, natural, thresholds, images.scores >= thresholds)


def chance(truth: NDArray[np.float64]) -> float | None:
    """Return the mean average precision by chance of truth (n, labels); None without labels."""
    shares = truth.mean(axis=0) if len(truth) else np.zeros(0)
    return float(shares[shares > 0].mean()) if (shares > 0).any() else None


def names_of(chosen: NDArray[np.bool_], labels: Sequence[str]) -> tuple[str, ...]:
    """Return the labels that are chosen, (labels,)."""
    return tuple(labels[int(n)] for n in np.flatnonzero(chosen))
