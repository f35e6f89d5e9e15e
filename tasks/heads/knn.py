"""Nearest neighbors, by scikit-learn."""

from typing import Any, Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from tasks.heads.neighbor_means import with_means
from tasks.heads.setting_types import Metric, Neighbors
from tasks.heads.sklearn_heads import pipeline_kind


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class KnnHead:
    """The fraction of each class or label among the nearest train images, which are the model.

    Of a number it is their mean. One vote is added and divided evenly among the classes, or between
    a label and its absence. Otherwise a class without a neighbor would have probability 0, and the
    log loss would depend on the replacement for log 0. Votes are not weighted by distance, because
    a near-duplicate would then decide alone.
    """

    neighbors: Neighbors = 5  # or the number of train images, if there are fewer
    metric: Metric = "cosine"
    standardize: bool = False
    kind: Literal["knn"] = "knn"


def _classifier(head: KnnHead, _seed: int, count: int) -> Any:  # noqa: ANN401  scikit-learn's
    from sklearn.neighbors import KNeighborsClassifier

    neighbors = min(head.neighbors, count)
    return KNeighborsClassifier(neighbors, metric=head.metric, algorithm="brute")


def _regressor(head: KnnHead, _seed: int, count: int) -> Any:  # noqa: ANN401  scikit-learn's
    from sklearn.neighbors import KNeighborsRegressor

    neighbors = min(head.neighbors, count)
    return KNeighborsRegressor(neighbors, metric=head.metric, algorithm="brute")


KIND = with_means(pipeline_kind(KnnHead, _classifier, votes=1, version=2), _regressor, votes=1)
