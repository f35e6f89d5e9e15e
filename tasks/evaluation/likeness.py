"""How alike images are by features and by pixels, and how alike copies are: from the data."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation.indexed_pairs import VectorBlocks, indexed_pairs
from tasks.evaluation.similar_pairs import Mirror, Places, SimilarPairs, similar_pairs
from tasks.evaluation.vector_blocks import Cosines, Pixels, Projected, whole

# Similarities are compared as Fisher's z (arctanh), which is near normal where they are of images
# that have nothing to do with each other: strangers. Of N such pairs the most alike is expected at
# the normal distribution's quantile 1 - 1/N. On subsets of 60 to 3,000 photographs of cats and dogs
# the most alike strangers were at up to 1.5 times that, by features and by pixels; copies (JPEG of
# quality 75, half size, mirrored and at half size) by pixels at 2.0 times and more.
TIMES = 1.6
MOST_PAIRS = 200_000  # that are alike by one signal
MOST_COMPARED = 200_000  # images, each with each: ten minutes on two cores, of 1,280 numbers
_ALL_NUMBERS, _DIRECTIONS = 20_000, 256  # images up to which all numbers of a feature are compared
# Those of one class are alike by themselves; in a class of fewer, copies would be much of them.
SMALL_CLASS = 16
_SAMPLE, _FEWEST, _FEWEST_PAIRS = 1000, 40, 100
_NO_COPY = 1 - 1e-4  # where even that is no copy, all images are too alike
_NORMAL = NormalDist()


@dataclass(frozen=True)
class Strangers:
    """How alike images are that have nothing to do with each other, as Fisher's z."""

    middle: float
    farther: float  # from there to the most alike that is expected

    def limit(self, times: float = 1.0) -> float:
        """Return the similarity that is so many times as far as that of the most alike."""
        return float(np.tanh(self.middle + times * self.farther)) if self.farther > 0 else 1.0


def strangers(similarity: NDArray[np.floating], share: float) -> Strangers:
    """Return what is expected of strangers of which a `share` is more alike than the limit.

    By the median and the upper quartile: up to a quarter of these pairs may be copies.
    """
    z = np.arctanh(np.clip(similarity, -1 + 1e-6, 1 - 1e-6))
    middle, upper = np.quantile(z, [0.5, 0.75])
    deviations = _NORMAL.inv_cdf(share) / _NORMAL.inv_cdf(0.25)
    return Strangers(float(middle), float((upper - middle) * deviations))


@dataclass(frozen=True)
class Signal:
    """How alike images are by one kind of vectors."""

    vectors: VectorBlocks
    mirror: Mirror | None
    strangers: Strangers
    searched: Strangers  # the same by `vectors`, which may have fewer numbers

    @property
    def separates(self) -> bool:
        """Whether copies differ enough from other pairs."""
        return self.strangers.limit(TIMES) < _NO_COPY

    def pairs(self, times: float) -> SimilarPairs:
        """Return the pairs that are alike so many times as far as strangers."""
        limit, vectors = self.searched.limit(times), self.vectors
        if vectors.count > MOST_COMPARED:
            return indexed_pairs(vectors, self.mirror, limit=limit, most=MOST_PAIRS)
        every = whole(iter(vectors), vectors.count, vectors.width)
        return similar_pairs(every, self.mirror, limit=limit, most=MOST_PAIRS)


def by_pixels(thumbnails: NDArray[np.uint8], labels: NDArray[np.int64]) -> Signal | None:
    """Return how alike images are as they are, and mirrored; None where there are too few."""
    sample = _sample(len(labels))
    sample = sample[thumbnails[sample].any(axis=(1, 2))]
    if len(sample) < _FEWEST:
        return None
    alike = _of_one_class(labels, sample)
    alike = alike if alike.any() else ~np.eye(len(sample), dtype=np.bool_)
    pixels = Pixels(thumbnails)
    rows = pixels.rows(sample)
    similarity = np.maximum(rows @ rows.T, rows @ pixels.mirror(rows).T)
    expected = _most_alike(similarity[alike], len(labels))
    return Signal(pixels, pixels.mirror, expected, expected)


def by_features(cosines: Cosines, labels: NDArray[np.int64]) -> Signal | None:
    """Return how alike images are by features.

    None where classes are small: features show the class, and so would the pairs. Of many images
    the features are compared along their main directions only, which saves time and memory.
    """
    sample = _sample(len(labels))
    alike = _of_one_class(labels, sample)
    if not alike.any():
        return None
    rows = cosines.rows(sample)
    expected = _most_alike((rows @ rows.T)[alike], len(labels))
    if len(labels) <= _ALL_NUMBERS or cosines.width <= _DIRECTIONS:
        return Signal(cosines, None, expected, expected)
    few = Projected(cosines, np.linalg.eigh(rows.T @ rows)[1][:, -_DIRECTIONS:])
    rows = few.along(rows)
    return Signal(few, None, expected, _most_alike((rows @ rows.T)[alike], len(labels)))


def _most_alike(similarity: NDArray[np.floating], count: int) -> Strangers:
    return strangers(similarity, 2 / (count * (count - 1)))


def _sample(count: int) -> Places:
    return np.sort(np.random.default_rng(0).permutation(count)[:_SAMPLE])


def _of_one_class(labels: NDArray[np.int64], sample: Places) -> NDArray[np.bool_]:
    """Return which pairs of the sample are of one class; none where there are too few."""
    large = np.bincount(labels)[labels[sample]] >= SMALL_CLASS
    same = (labels[sample, np.newaxis] == labels[sample]) & large
    np.fill_diagonal(same, val=False)
    return same if same.sum() >= 2 * _FEWEST_PAIRS else np.zeros_like(same)
