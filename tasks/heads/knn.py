"""The nearest neighbours' vote, by scikit-learn."""

from typing import Any, Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from tasks.heads.setting_types import Metric, Neighbors
from tasks.heads.sklearn_heads import pipeline_kind


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class KnnHead:
    """The share of each class among the nearest training images; all of these are the model.

    With one vote added for all classes together: otherwise a class that none of five neighbours has
    is impossible, and the log loss hangs on the number that is put in the place of log 0. Votes are
    not weighted by nearness: a near-duplicate's would be the only one.
    """

    neighbors: Neighbors = 5  # fewer where there are fewer training images
    metric: Metric = "cosine"
    standardize: bool = False
    kind: Literal["knn"] = "knn"


def _classifier(head: KnnHead, _seed: int, count: int) -> Any:  # noqa: ANN401  scikit-learn's
    from sklearn.neighbors import KNeighborsClassifier

    neighbors = min(head.neighbors, count)
    return KNeighborsClassifier(neighbors, metric=head.metric, algorithm="brute")


KIND = pipeline_kind(KnnHead, _classifier, votes=1, version=2)
