"""Near-duplicates: copies of one picture in different splits, or folds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]  # (n, numbers), each of length 1, or all zeros
Places = NDArray[np.int64]

FEWEST, MOST = 40, 20_000  # images; the most take some 10 s on two cores, of 1,280 numbers each
# Similarities are compared as Fisher's z (arctanh), which is near normal where they are of images
# that have nothing to do with each other. Of N such pairs the most alike is expected at the normal
# distribution's quantile 1 - 1/N. On subsets of 60 to 3,000 photographs of cats and dogs the most
# alike different pictures were at up to 1.5 times that, by features and by pixels; copies (JPEG of
# quality 75, half size, mirrored and at half size) by pixels at 2.0 times and more.
TIMES = 1.6
# A pair stands out from the images around it, too: by how similarities thin out from the half of
# all images to the nearest tenth, this many others (log10) are expected as near as that.
OTHERS_BY_PIXELS, OTHERS_BY_FEATURES = -2.0, -1.0
_NEAREST, _HALF = 0.1, 0.5
# Those of one class are alike by themselves; in a class of fewer, copies would be much of them.
_SMALL_CLASS = 16
_SAMPLE, _FEWEST_PAIRS, _ROWS_AT_ONCE = 1000, 100, 1024
_NO_COPY = 1 - 1e-4  # where even that is no copy, all images are too alike


@dataclass(frozen=True)
class Pair:
    """Two images of different parts that are almost the same, by their positions."""

    first: int
    second: int
    similarity: float  # the cosine of their features
    by: str  # "pixels" or "features"


@dataclass(frozen=True)
class NearDuplicates:
    """What a search found, the most alike first, and why more may be there."""

    pairs: tuple[Pair, ...] = ()
    crowded: int = 0  # pairs as alike as copies, among images that are all so alike
    untold: tuple[str, ...] = ()  # why some, or all, may not have been found


def near_duplicates(
    features: NDArray[np.float32],
    thumbnails: NDArray[np.uint8],
    labels: NDArray[np.int64],
    parts: Sequence[str],
) -> NearDuplicates:
    """Return all pairs of near-duplicates in different parts (splits, or folds).

    By the pixels of `thumbnails` (n, side, side), grey, as they are and mirrored (zeros where there
    is none), and by `features` (n, numbers), where the crop or the moment is another one. What is
    near follows from all images, and not from the nearest neighbours: it is the same however many
    copies there are, as long as one image has fewer than a tenth of all.
    """
    count = len(features)
    if not FEWEST <= count <= MOST:
        size = "few" if count < FEWEST else "many"
        return NearDuplicates(untold=(f"{count:,} images are too {size} to compare",))
    sample = np.sort(np.random.default_rng(0).permutation(count)[:_SAMPLE])
    pixels = _by_pixels(thumbnails, sample, labels)
    kinds = _by_features(features, sample, labels)
    usable = [signal for signal in (pixels, kinds) if signal and signal.separates]
    part, cosine = np.unique(np.asarray(parts), return_inverse=True)[1], _unit(features)
    pairs: list[Pair] = []
    crowded = 0
    for start in range(0, count if usable else 0, _ROWS_AT_ONCE):
        rows = np.arange(start, min(start + _ROWS_AT_ONCE, count))
        near, apart = zip(*(signal.near(rows) for signal in usable), strict=True)
        across = (part[rows, np.newaxis] != part) & (rows[:, np.newaxis] < np.arange(count))
        found = np.logical_or.reduce(apart) & across
        crowded += int((np.logical_or.reduce(near) & across & ~found).sum())
        for row, second in zip(*np.nonzero(found), strict=True):
            by = "pixels" if usable[0] is pixels and apart[0][row, second] else "features"
            similarity = float(cosine[rows[row]] @ cosine[second])
            pairs.append(Pair(int(rows[row]), int(second), similarity, by))
    pairs.sort(key=lambda pair: -pair.similarity)
    return NearDuplicates(tuple(pairs), crowded, tuple(_untold(thumbnails, pixels, kinds)))


@dataclass(frozen=True)
class _Signal:
    """How alike images are by one kind of vectors, and how alike is a copy."""

    vectors: Vectors
    mirrored: Vectors | None
    limit: float  # the similarity from which on two are near
    own_limits: NDArray[np.float64]  # (n,) distances up to which two stand out from the others

    @property
    def separates(self) -> bool:
        """Whether copies differ enough from other pairs."""
        return self.limit < _NO_COPY

    def near(self, rows: Places) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which images (rows, n) are near to these, and which of them stand out."""
        similarity = _similarity(self.vectors, self.mirrored, rows)
        near = similarity >= self.limit
        own = np.minimum(self.own_limits[rows, np.newaxis], self.own_limits)
        return near, near & (1 - similarity <= own)


def _by_pixels(
    thumbnails: NDArray[np.uint8], sample: Places, labels: NDArray[np.int64]
) -> _Signal | None:
    sample = sample[thumbnails[sample].any(axis=(1, 2))]
    if len(sample) < FEWEST:
        return None
    pixels = thumbnails.astype(np.float32)
    pixels -= pixels.mean(axis=(1, 2), keepdims=True)
    alike = _of_one_class(labels, sample)
    return _calibrated(
        _unit(pixels.reshape(len(pixels), -1)),
        _unit(pixels[:, :, ::-1].reshape(len(pixels), -1)),
        sample,
        alike if alike.any() else ~np.eye(len(sample), dtype=np.bool_),
        others=OTHERS_BY_PIXELS,
    )


def _by_features(
    features: NDArray[np.float32], sample: Places, labels: NDArray[np.int64]
) -> _Signal | None:
    """Return nothing where classes are small: features show the class, and so would the pairs."""
    alike = _of_one_class(labels, sample)
    if not alike.any():
        return None
    centred = features - features.mean(axis=0)
    centred[~features.any(axis=1)] = 0  # nothing is known of such an image
    return _calibrated(_unit(centred), None, sample, alike, others=OTHERS_BY_FEATURES)


def _calibrated(
    vectors: Vectors,
    mirrored: Vectors | None,
    sample: Places,
    alike: NDArray[np.bool_],
    *,
    others: float,
) -> _Signal:
    """Return a signal with its limits: by the pairs of the sample that are `alike` without copies.

    Their median and upper quartile say how similarities are distributed: up to a quarter of these
    pairs may be copies.
    """
    count = len(vectors)
    own = np.empty(count)
    tenth, half = (max(1, int(share * len(sample))) - 1 for share in (_NEAREST, _HALF))
    for start in range(0, count, _ROWS_AT_ONCE):
        rows = np.arange(start, min(start + _ROWS_AT_ONCE, count))
        distance = np.maximum(1 - _similarity(vectors, mirrored, rows, sample), 1e-6)
        distance[rows[:, np.newaxis] == sample] = np.inf
        ordered = np.partition(distance, [tenth, half], axis=1)[:, [tenth, half]]
        exponent = np.log(_HALF / _NEAREST) / np.log(
            np.maximum(ordered[:, 1] / ordered[:, 0], 1 + 1e-6)
        )
        fewer = (others - np.log10(_NEAREST * count)) / exponent
        own[rows] = ordered[:, 0] * 10 ** np.maximum(fewer, -300.0)
    similarity = _similarity(vectors, mirrored, sample, sample)[alike]
    middle, upper = np.quantile(np.arctanh(np.clip(similarity, -1 + 1e-6, 1 - 1e-6)), [0.5, 0.75])
    normal = NormalDist()
    expected = -normal.inv_cdf(2 / (count * (count - 1))) / normal.inv_cdf(0.75)
    limit = np.tanh(middle + TIMES * expected * (upper - middle))
    return _Signal(vectors, mirrored, float(limit if upper > middle else 1.0), own)


def _of_one_class(labels: NDArray[np.int64], sample: Places) -> NDArray[np.bool_]:
    """Return which pairs of the sample are of one class; none where there are too few."""
    large = np.bincount(labels)[labels[sample]] >= _SMALL_CLASS
    same = (labels[sample, np.newaxis] == labels[sample]) & large
    np.fill_diagonal(same, val=False)
    return same if same.sum() >= 2 * _FEWEST_PAIRS else np.zeros_like(same)


def _untold(
    thumbnails: NDArray[np.uint8], pixels: _Signal | None, kinds: _Signal | None
) -> Iterator[str]:
    unread = int((~thumbnails.any(axis=(1, 2))).sum())
    if unread:
        yield f"the files of {unread:,} of {len(thumbnails):,} images are gone or cannot be read"
    if pixels and not pixels.separates:
        yield "images are too similar by their pixels"
    if not kinds:
        yield f"no class has {_SMALL_CLASS} images, so only pixels were compared"
    elif not kinds.separates:
        yield "images are too similar by their features"


def _similarity(
    vectors: Vectors, mirrored: Vectors | None, rows: Places, columns: Places | slice = slice(None)
) -> Vectors:
    similarity: Vectors = vectors[rows] @ vectors[columns].T
    if mirrored is None:
        return similarity
    return np.asarray(np.maximum(similarity, vectors[rows] @ mirrored[columns].T))


def _unit(vectors: NDArray[np.float32]) -> Vectors:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(norms > 0, norms, 1), np.float32)
