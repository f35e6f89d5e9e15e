"""A run's predictions of a number on one split: figures, baselines, and the largest errors."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stores.keys import Keys
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
    def keys(self) -> Keys:
        """The images' keys, (n, 32)."""
        return self.images.keys

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


@dataclass(frozen=True)
class OneAnswer:
    """What always answering one number comes to on some images."""

    median: float  # of train: no other answer has a smaller mean absolute error there
    mean: float  # of train: no other answer has a smaller mean squared error there
    mean_absolute_error: float  # of the median
    root_mean_squared_error: float  # of the mean


def one_answer(result: NumberResult, manifest: Manifest) -> OneAnswer | None:
    """Return what the median and the mean of train come to; None without images on either side."""
    learned = manifest.select("train").labels
    if not len(learned) or not len(result.true):
        return None
    median, mean = float(np.median(learned)), float(np.mean(learned))
    return OneAnswer(
        median,
        mean,
        float(np.abs(result.true - median).mean()),
        float(np.sqrt(np.square(result.true - mean).mean())),
    )
