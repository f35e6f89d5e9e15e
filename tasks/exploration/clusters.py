"""Clusters of images: k-means by the cosine, on the main directions of their features.

Density (HDBSCAN) left 70% of the digits out as noise.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.errors import InputError
from tasks.evaluation.nearest import Blocks
from tasks.evaluation.similar_pairs import Places, Vectors, unit

MOST_FITTED = 50_000  # images that the clusters are found from, drawn by chance
_DIRECTIONS = 50
_TRIED = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 25, 32, 40, 50)  # numbers of clusters, for auto
_TRIED_IMAGES = 2000  # by which these are compared
_STARTS = 3  # of k-means, the best of which is taken
_MANY = 10_000  # images, from which mini-batches are used


@dataclass(frozen=True)
class Clusters:
    """The clusters of images, the largest first: each image's number, from 0, and its distance."""

    places: Places
    number: NDArray[np.int64]
    distance: Vectors  # 1 less the cosine with its cluster's centre: the smallest are central
    tried: dict[int, float]  # for auto: how well each number of clusters separates (silhouette)

    @property
    def sizes(self) -> list[int]:
        """How many images each cluster has."""
        return [int(size) for size in np.bincount(self.number)]

    def central(self, number: int, most: int) -> Places:
        """Return the places of a cluster's most central images, the most central first."""
        members = np.flatnonzero(self.number == number)
        order = np.argsort(self.distance[members], kind="stable")[:most]
        return np.asarray(self.places[members[order]])


def find_clusters(sample: Vectors, blocks: Blocks, k: int | None, *, seed: int = 0) -> Clusters:
    """Return k clusters of images that come in blocks, found from a sample of them.

    None: as many as separate best. Raises InputError where there are fewer different images.
    """
    from sklearn.decomposition import PCA

    mean = sample.mean(axis=0)
    different = len({row.tobytes() for row in sample})
    if different < (k or 2):
        raise InputError(
            f"-k {k or 'auto'}: expected at least {k or 2} different images, found {different:,}; "
            "give more images, or a smaller -k"
        )
    centred = unit(sample - mean)
    directions = min(_DIRECTIONS, *centred.shape)
    axes = PCA(directions, random_state=seed).fit(centred).components_.T
    points = unit(centred @ axes)
    tried = {} if k else _separations(points, different, seed)
    centres = _centres(points, k or max(tried, key=lambda n: tried[n]), seed)
    assigned = list(_assigned(blocks, mean, axes, centres))
    places, number, distance = (np.concatenate(part) for part in zip(*assigned, strict=True))
    order = np.argsort(-np.bincount(number, minlength=len(centres)), kind="stable")
    rank = np.empty(len(centres), np.int64)
    rank[order] = np.arange(len(centres))
    return Clusters(places, rank[number], distance, tried)


def drawn(count: int, *, seed: int = 0) -> Places:
    """Return the places of the images that clusters are found from."""
    chosen = np.random.default_rng(seed).permutation(count)[:MOST_FITTED]
    return np.asarray(np.sort(chosen))


def purity(number: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    """Return the share of images that are of the most common class of their cluster."""
    counts = np.zeros((number.max() + 1, labels.max() + 1), np.int64)
    np.add.at(counts, (number, labels), 1)
    return float(counts.max(axis=1).sum() / len(labels))


def rand_index(number: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    """Return the adjusted Rand index: 1 where clusters are the classes, 0 where by chance."""
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(labels, number))


def _separations(points: Vectors, different: int, seed: int) -> dict[int, float]:
    """Return the silhouette of each number of clusters that is tried."""
    from sklearn.metrics import silhouette_score

    some = points[np.random.default_rng(seed).permutation(len(points))[:_TRIED_IMAGES]]
    most = min(different, len(some)) - 1
    found = {}
    for count in [n for n in _TRIED if n <= most] or [2]:
        labels, _ = _nearest(some, _centres(some, count, seed, starts=1))
        if 1 < len(np.unique(labels)) < len(some):
            found[count] = round(float(silhouette_score(some, labels)), 4)
    return found or {2: 0.0}


def _centres(points: Vectors, count: int, seed: int, *, starts: int = _STARTS) -> Vectors:
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    kind = KMeans if len(points) < _MANY else MiniBatchKMeans
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # copies may leave one empty
        fitted = kind(count, n_init=starts, random_state=seed).fit(points)
    return np.asarray(fitted.cluster_centers_, np.float32)


def _nearest(points: Vectors, centres: Vectors) -> tuple[NDArray[np.int64], Vectors]:
    """Return the number of the nearest centre of each point, and 1 less the cosine with it."""
    # By Euclid's distance, images that are like none would be nearest to the middle of all.
    cosines = points @ unit(centres).T
    number = cosines.argmax(axis=1)
    return number, np.maximum(1 - cosines[np.arange(len(points)), number], 0)


def _assigned(
    blocks: Blocks, mean: Vectors, axes: Vectors, centres: Vectors
) -> Iterator[tuple[Places, NDArray[np.int64], Vectors]]:
    for at, vectors in blocks:
        yield at, *_nearest(unit(unit(vectors - mean) @ axes), centres)
