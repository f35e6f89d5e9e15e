"""A run's predictions of a number on one split: figures, baselines, and the largest errors."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stores.manifest import Manifest, Split
from stores.runs.record import Run
from tasks.evaluation.bootstrap import Measured, Weights, measured
from tasks.evaluation.held_out_scores import Scored, scored
from tasks.evaluation.number_metrics import number_metrics
from tasks.evaluation.weighted_figures import weighted_mean, weighted_r2

Numbers = NDArray[np.float64]  # (n,)


@dataclass(frozen=True)
class NumberResult:
    """Predictions of one split, in the order of the images' keys."""

    images: Scored
    name: str  # of the number

    @property
    def split(self) -> Split:
        """The split that the images are of."""
        return self.images.split

    @property
    def true(self) -> Numbers:
        """The true numbers."""
        return self.images.truth[:, 0]

    @property
    def predicted(self) -> Numbers:
        """The predicted numbers."""
        return self.images.scores[:, 0]

    @property
    def errors(self) -> Numbers:
        """Predicted less true."""
        return self.predicted - self.true

    @cached_property
    def mean_absolute_error(self) -> Measured | None:
        """With its interval; None without images."""
        return self._measured("mean_absolute_error", partial(weighted_mean, np.abs(self.errors)))

    @cached_property
    def root_mean_squared_error(self) -> Measured | None:
        """With its interval; None without images."""

        def of_weights(weights: Weights) -> Numbers:
            return np.sqrt(weighted_mean(self.errors**2, weights))

        return self._measured("root_mean_squared_error", of_weights)

    @cached_property
    def r2(self) -> Measured | None:
        """With its interval; None without different true numbers."""
        return self._measured("r2", partial(weighted_r2, self.predicted, self.true))

    def error_of(self, answer: float) -> float | None:
        """Return the mean absolute error of one answer for all images; None without images."""
        return float(np.abs(self.true - answer).mean()) if len(self.true) else None

    def largest_errors(self) -> NDArray[np.int64]:
        """Return the places of the images, the largest error first."""
        return np.argsort(-np.abs(self.errors), kind="stable")

    def _measured(self, name: str, of_weights: Callable[[Weights], Numbers]) -> Measured | None:
        value = number_metrics(self.predicted, self.true).get(name)
        if value is None:
            return None
        return measured(value, of_weights, len(self.true), self.images.groups)


def number_result(predictions: pa.Table, run: Run, split: Split) -> NumberResult:
    """Return the result of a run's predictions (see RunStore.predictions) on one split."""
    images = scored(predictions, split=split, outputs=1, folds=run.folds)
    return NumberResult(images, run.classes[0])


def train_median(manifest: Manifest) -> float:
    """Return the median of the train images' numbers: no one answer has a smaller error there."""
    return float(np.median(manifest.select("train").labels))
