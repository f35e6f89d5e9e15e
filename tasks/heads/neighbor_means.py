"""Nearest neighbors of several labels or a number, by scikit-learn: the mean of their values."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stores.targets import Target
from tasks.execution.cancellation import stop_if_requested
from tasks.heads import Candidate, Kind, Outcome, TrainedHead
from tasks.heads.examples import Examples, flat
from tasks.heads.sklearn_heads import (
    load_pipeline,
    make_head_pipeline,
    save_pipeline,
    steps_of,
)
from tasks.heads.vote_smoothing import smoothed

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

# Returns the estimator for a specification, a seed and a number of train images.
Regressor = Callable[[Any, int, int], Any]


class TrainedMeans:
    """A fitted pipeline whose last step is a KNeighborsRegressor of labels, 0 or 1, or a number.

    `votes`: added to those of the neighbors, half of them for a label.
    """

    history: Sequence[dict[str, float]] = ()
    epochs = 0

    def __init__(self, pipeline: "Pipeline", outputs: int, votes: int = 0) -> None:
        self.pipeline, self._outputs, self._votes = pipeline, outputs, votes

    @property
    def inputs(self) -> int:
        """Return the number of values of a feature."""
        return int(self.pipeline.n_features_in_)

    def scores(self, features: NDArray[Any]) -> NDArray[np.float64]:
        """Return the fraction of each label among the neighbors, or their mean, (n, outputs)."""
        means = self.pipeline.predict(flat(features, self.inputs))
        return self._smoothed(np.asarray(means, np.float64).reshape(-1, self._outputs))

    def keras_scores(self, features: Any) -> Any:  # noqa: ANN401  Keras's tensors
        """Return the same scores by built-in Keras layers."""
        from tasks.heads.keras_export import neighbor_means

        values = self.pipeline[-1]._y.reshape(-1, self._outputs)  # noqa: SLF001  no public name
        return neighbor_means(features, self.pipeline, self._smoothed(values))

    def save(self, folder: Path) -> None:
        """Write `head.skops`, which has no pickle, and `votes.json` if votes are added."""
        save_pipeline(self.pipeline, self._votes, folder)

    def _smoothed(self, shares: NDArray[Any]) -> NDArray[np.float64]:
        neighbors = self.pipeline[-1].n_neighbors
        return smoothed(shares, neighbors, self._votes, outcomes=2) if self._votes else shares


def with_means(kind: Kind, regressor: Regressor, *, votes: int) -> Kind:
    """Return a kind of classes that learns several labels and a number too.

    `votes` are for labels, as in TrainedMeans.
    """

    def fit(candidate: Candidate[Any], examples: Examples) -> Outcome:
        stop_if_requested()
        train = examples.folds[candidate.fold].train
        values = np.asarray(examples.labels[train], np.float64)
        pipeline = make_head_pipeline(
            candidate.head, regressor(candidate.head, candidate.seed, len(values))
        )
        pipeline.fit(examples.features(train), values)
        added = votes if examples.target == "labels" else 0
        return TrainedMeans(pipeline, examples.classes, added)

    def train(candidates: Sequence[Candidate[Any]], examples: Examples) -> Sequence[Outcome]:
        if examples.target == "classes":
            return kind.train(candidates, examples)
        return [fit(candidate, examples) for candidate in candidates]

    def load(folder: Path, outputs: int, target: Target = "classes") -> TrainedHead:
        if target == "classes":
            return kind.load(folder, outputs, target)
        pipeline, added = load_pipeline(folder, steps_of(kind.specification, regressor))
        values = np.asarray(pipeline[-1]._y)  # noqa: SLF001  it has no public name
        if values.dtype.kind != "f" or not np.isfinite(values).all():
            raise ValueError("the neighbors have values that are not numbers")
        if target == "labels" and not np.isin(values, (0, 1)).all():
            raise ValueError("the neighbors have labels other than 0 and 1")
        if target == "number" and added:
            raise ValueError("votes are added to a number")
        return TrainedMeans(pipeline, outputs, added)

    return replace(kind, train=train, load=load, targets=("classes", "labels", "number"))
