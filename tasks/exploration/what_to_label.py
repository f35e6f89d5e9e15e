"""Which images to label next: by how typical they are, or by how uncertain a head is of them.

On the digits (benchmarks/exploration.py), with few labels a class the typical images teach most, as
G. Hacohen et al. found (Active Learning on a Budget, ICML 2022), and uncertain ones less than those
drawn by chance; with many it is the other way round.
"""

import warnings
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation.similar_pairs import Places, Vectors, unit

Method = Literal["typical", "uncertain"]
FEW_LABELS = 10  # a class, up to which typical images are chosen
_TIMES = 2  # as many as asked for are looked at, the most uncertain ones
_DIRECTIONS = 50  # in which clusters are searched
_NEIGHBORS = 20  # by which an image is typical
_MOST_COMPARED = 2000  # of a cluster


def best_method(labels: int, classes: int) -> Method:
    """Return which method teaches more, with so many labels; without any class: typical."""
    return "uncertain" if classes and labels > FEW_LABELS * classes else "typical"


def typical(labelled: Vectors, vectors: Vectors, k: int, *, seed: int = 0) -> list[tuple[int, int]]:
    """Return the places of k images, each typical of its cluster, and the clusters' sizes.

    There are as many clusters as images with a label at the end. Those with the fewest labels are
    first, and of these the largest.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    together = _few_numbers(np.concatenate([labelled.reshape(-1, vectors.shape[1]), vectors]), seed)
    clusters = min(len(labelled) + k, len(together))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of copies there are fewer clusters
        cluster_of = KMeans(clusters, n_init=1, random_state=seed).fit_predict(together)
    known = np.bincount(cluster_of[: len(labelled)], minlength=clusters)
    own, points = cluster_of[len(labelled) :], together[len(labelled) :]
    sizes = np.bincount(own, minlength=clusters)
    chosen = dict[int, int]()
    while len(chosen) < min(k, len(vectors)):  # again where there are fewer clusters than asked
        for cluster in np.lexsort((-sizes, known)).tolist():
            members = np.flatnonzero(own == cluster)
            members = members[~np.isin(members, list(chosen))]
            if len(members) and len(chosen) < k:
                chosen[int(members[_most_typical(points[members])])] = int(sizes[cluster])
    return list(chosen.items())


def uncertain(
    uncertainty: NDArray[np.float64], labelled: Vectors, vectors: Vectors, k: int
) -> list[int]:
    """Return the places of k of the most uncertain images, far from one another.

    Among twice as many, the next is always the one farthest from all that have a label and from
    those before it (k-centre, greedily).
    """
    most = np.argsort(-uncertainty, kind="stable")[: _TIMES * k]
    some = unit(vectors[most])
    nearest = _nearest(some, unit(labelled))
    chosen: list[int] = []
    for _ in range(min(k, len(most))):
        place = int(nearest.argmin())
        chosen.append(place)
        nearest = np.maximum(nearest, some @ some[place])
        nearest[chosen] = np.inf
    return [int(place) for place in most[chosen]]


def distances(labelled: Vectors, vectors: Vectors) -> list[float]:
    """Return of each chosen image the distance to the nearest with a label, or chosen before it.

    As 1 less the cosine; 1 for the first where no image has a label.
    """
    rows = unit(vectors)
    nearest = _nearest(rows, unit(labelled))
    before = np.tri(len(rows), k=-1, dtype=np.bool_)
    nearest = np.maximum(nearest, np.where(before, rows @ rows.T, -1).max(axis=1, initial=-1))
    return [1.0 if near == -1 else max(0.0, 1 - near) for near in nearest.tolist()]


def uncertainty_of(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return 1 less the difference between the two highest probabilities of each image."""
    highest = np.sort(probabilities.astype(np.float64), axis=1)[:, -2:]
    return np.asarray(1 - (highest[:, 1] - highest[:, 0]))


class MostUncertain:
    """The most uncertain of many images that come in blocks, with their vectors."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._kept: list[tuple[Places, NDArray[np.float64], Vectors]] = []
        self._count = 0

    def add(self, places: Places, uncertainty: NDArray[np.float64], vectors: Vectors) -> None:
        """Add a block."""
        self._kept.append((places, uncertainty, vectors))
        self._count += len(places)
        if self._count > 2 * self.most:
            self._kept = [self.found()]
            self._count = self.most

    def found(self) -> tuple[Places, NDArray[np.float64], Vectors]:
        """Return places, uncertainty and vectors, in the order of the places."""
        places = np.concatenate([kept[0] for kept in self._kept])
        uncertainty = np.concatenate([kept[1] for kept in self._kept])
        vectors = np.concatenate([kept[2] for kept in self._kept])
        most = np.argsort(-uncertainty, kind="stable")[: self.most]
        order = most[np.argsort(places[most])]
        return places[order], uncertainty[order], vectors[order]


def _few_numbers(rows: Vectors, seed: int) -> Vectors:
    from sklearn.decomposition import PCA

    if len(rows) <= 2:
        return rows
    centred = unit(rows - rows.mean(axis=0))
    directions = min(_DIRECTIONS, *centred.shape)
    return np.asarray(PCA(directions, random_state=seed).fit_transform(centred), np.float32)


def _most_typical(points: Vectors) -> int:
    """Return the place of the point nearest to its neighbours."""
    some = points[:_MOST_COMPARED]
    squares = (some * some).sum(axis=1)
    apart = np.sqrt(np.maximum(squares[:, np.newaxis] + squares - 2 * some @ some.T, 0))
    near = min(_NEIGHBORS + 1, len(some))  # with itself
    return int(np.partition(apart, near - 1, axis=1)[:, :near].sum(axis=1).argmin())


def _nearest(rows: Vectors, labelled: Vectors) -> Vectors:
    if not len(labelled):
        return np.full(len(rows), -1, np.float32)
    return np.asarray((rows @ labelled.T).max(axis=1))
