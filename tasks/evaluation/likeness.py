"""How alike images are by features and by pixels, and how alike copies are: from the data."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation.indexed_pairs import indexed_pairs
from tasks.evaluation.similar_pairs import Places, SimilarPairs, Vectors, similar_pairs, unit

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
_SAMPLE, _FEWEST, _FEWEST_PAIRS, _ROWS_AT_ONCE = 1000, 40, 100, 1024
_NO_COPY = 1 - 1e-4  # where even that is no copy, all images are too alike
_NORMAL = NormalDist()


class Cosines:
    """Cosines of centred features, without a copy of all of them."""

    def __init__(self, features: NDArray[np.float32]) -> None:
        self.features, self.mean = features, features.mean(axis=0)

    def rows(self, places: Places | slice) -> Vectors:
        """Return some images' vectors, of length 1; zeros for one of which nothing is known."""
        some = self.features[places]
        return unit((some - self.mean) * some.any(axis=1, keepdims=True))

    def of(self, first: Places, second: Places) -> Vectors:
        """Return the cosine of each pair."""
        found = np.empty(len(first), np.float32)
        for start in range(0, len(first), _ROWS_AT_ONCE):
            some = slice(start, start + _ROWS_AT_ONCE)
            found[some] = np.einsum("ij,ij->i", self.rows(first[some]), self.rows(second[some]))
        return found


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

    vectors: Vectors
    mirrored: Vectors | None
    strangers: Strangers
    searched: Strangers  # the same by `vectors`, which may have fewer numbers

    @property
    def separates(self) -> bool:
        """Whether copies differ enough from other pairs."""
        return self.strangers.limit(TIMES) < _NO_COPY

    def pairs(self, times: float) -> SimilarPairs:
        """Return the pairs that are alike so many times as far as strangers."""
        limit = self.searched.limit(times)
        search = similar_pairs if len(self.vectors) <= MOST_COMPARED else indexed_pairs
        return search(self.vectors, self.mirrored, limit=limit, most=MOST_PAIRS)


def by_pixels(thumbnails: NDArray[np.uint8], labels: NDArray[np.int64]) -> Signal | None:
    """Return how alike images are as they are, and mirrored; None where there are too few."""
    sample = _sample(len(labels))
    sample = sample[thumbnails[sample].any(axis=(1, 2))]
    if len(sample) < _FEWEST:
        return None
    alike = _of_one_class(labels, sample)
    alike = alike if alike.any() else ~np.eye(len(sample), dtype=np.bool_)
    pixels, mirrored = flat(thumbnails), flat(thumbnails[:, :, ::-1])
    similarity = np.maximum(pixels[sample] @ pixels[sample].T, pixels[sample] @ mirrored[sample].T)
    expected = _most_alike(similarity[alike], len(labels))
    return Signal(pixels, mirrored, expected, expected)


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
    blocks = [slice(n, n + _ROWS_AT_ONCE) for n in range(0, len(labels), _ROWS_AT_ONCE)]
    if len(labels) <= _ALL_NUMBERS or rows.shape[1] <= _DIRECTIONS:
        rows = np.concatenate([cosines.rows(block) for block in blocks])
        return Signal(rows, None, expected, expected)
    axes = np.linalg.eigh(rows.T @ rows)[1][:, -_DIRECTIONS:]
    few = np.concatenate([unit(cosines.rows(block) @ axes) for block in blocks])
    by_few = _most_alike((few[sample] @ few[sample].T)[alike], len(labels))
    return Signal(few, None, expected, by_few)


def flat(thumbnails: NDArray[np.uint8]) -> Vectors:
    """Return thumbnails as vectors that do not depend on brightness or contrast."""
    pixels = thumbnails.reshape(len(thumbnails), -1).astype(np.float32)
    pixels -= pixels.mean(axis=1, keepdims=True)
    return unit(pixels)


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
