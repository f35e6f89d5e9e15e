"""How unlike an image is to those that a head has learned from, by its features.

The distance of an image to the nearest training image is compared with the distances of images that
were held out. The share of these that is as far, or farther, is a p-value: of images like those of
the training, a share of 0.01 has 0.01 or less. See V. Vovk, A. Gammerman and G. Shafer, Algorithmic
Learning in a Random World (2005), chapter 2.

Example:
    >>> reference = reference_of(features, learned)
    >>> [one.p_value for one in reference.novelty(rows)]
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stores.errors import MissingFeatures
from stores.features.store import FeatureStore
from stores.keys import KEY_BYTES, Keys, from_arrow
from tasks.evaluation.group_effect import Groups
from tasks.evaluation.similar_pairs import Vectors, unit
from tasks.evaluation.split_result import groups_of
from tasks.features.vectors import averaged, vectors

NEAREST = 3
LEVEL = 0.01  # at which a folder of images is compared with what is expected
# Drawn from more: all are compared with the same images, so a p-value stays one.
MOST_TRAINING, MOST_HELD_OUT = 50_000, 5_000
_ROWS_AT_ONCE = 256  # so that a block of similarities takes 50 MiB


@dataclass(frozen=True)
class Learned:
    """The images that a head has learned from, and those held out; their order is that of `keys`.

    With folds all images are both: each is compared with the others.
    """

    keys: Keys
    training: NDArray[np.bool_]
    held_out: NDArray[np.bool_]
    groups: Groups | None = None

    @property
    def folded(self) -> bool:
        """Whether images were held out in turn."""
        return bool((self.training & self.held_out).any())


@dataclass(frozen=True)
class Novelty:
    """How unlike the training images an image is."""

    p_value: float
    nearest: tuple[int, ...]  # positions in `Learned.keys`, the most alike first
    similarity: tuple[float, ...]  # their cosines


@dataclass(frozen=True)
class Reference:
    """What images are compared with."""

    training: Vectors  # (n, channels), each of length 1
    positions: NDArray[np.int64]  # (n,) of the training images in `Learned.keys`
    distances: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))  # (m,)

    @property
    def least(self) -> float:
        """The smallest p-value that there can be."""
        return 1 / (len(self.distances) + 1)

    def novelty(self, rows: NDArray[np.floating]) -> list[Novelty]:
        """Return the novelty of images by their features, (n, *shape)."""
        found = list[Novelty]()
        for places, similarity in _nearest(unit(averaged(rows)), self.training, NEAREST):
            farther = len(self.distances) - np.searchsorted(self.distances, 1 - similarity[:, 0])
            p_values = (farther + 1) / (len(self.distances) + 1)
            for p_value, some, alike in zip(p_values, places, similarity, strict=True):
                nearest = tuple(self.positions[some].tolist())
                found.append(Novelty(float(p_value), nearest, tuple(alike.tolist())))
        return found


def learned_images(predictions: pa.Table, *, folds: int) -> Learned:
    """Return the images of a run by its predictions (see RunStore.predictions)."""
    rows = predictions.filter(pc.is_in(predictions["split"], pa.array(["train", "validation"])))
    keys = from_arrow(rows["key"].cast(pa.binary(KEY_BYTES)))
    if folds:
        every = np.ones(len(keys), np.bool_)
        return Learned(keys, every, every, groups_of(rows))
    held_out = pc.equal(rows["split"], "validation").to_numpy(zero_copy_only=False)
    return Learned(keys, ~held_out, held_out, groups_of(rows))


def reference_of(features: FeatureStore, learned: Learned, *, seed: int = 0) -> Reference | str:
    """Return what images are compared with, or the reason why there is nothing.

    Of more images than MOST_TRAINING and MOST_HELD_OUT some are drawn.
    """
    rng = np.random.default_rng(seed)
    training = _some(learned.training, MOST_TRAINING, rng)
    held_out = _some(learned.held_out, MOST_HELD_OUT, rng)
    if not len(training) or not len(held_out):
        return "the run has no training images and held-out images"
    try:
        vectors_of = unit(vectors(features, learned.keys[training]))
        others = unit(vectors(features, learned.keys[held_out]))
    except MissingFeatures:
        return f"the features of its training images are not in the store ({features.recipe})"
    apart = None
    if learned.folded:  # an image is neither compared with itself nor with others of its group
        group = learned.groups if learned.groups is not None else np.arange(len(learned.keys))
        apart = group[held_out], group[training]
    distances = _distances(others, vectors_of, apart)
    return Reference(vectors_of, training, np.sort(distances[np.isfinite(distances)]))


def _some(chosen: NDArray[np.bool_], most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    places = np.flatnonzero(chosen)
    return np.sort(rng.permutation(places)[:most])


def _distances(
    rows: Vectors, training: Vectors, apart: tuple[Groups, Groups] | None
) -> NDArray[np.float32]:
    """Return each row's distance to the nearest training image, of another group."""
    found = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        some = slice(start, start + _ROWS_AT_ONCE)
        similarity = rows[some] @ training.T
        if apart:
            similarity[apart[0][some, np.newaxis] == apart[1]] = -np.inf
        found[some] = 1 - similarity.max(axis=1)
    return found


def _nearest(
    rows: Vectors, training: Vectors, count: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Yield (places, similarities) of the nearest training images, for some rows at a time."""
    count = min(count, len(training))
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        similarity = rows[start : start + _ROWS_AT_ONCE] @ training.T
        some = np.argpartition(-similarity, count - 1, axis=1)[:, :count]
        alike = np.take_along_axis(similarity, some, axis=1)
        order = np.argsort(-alike, axis=1, kind="stable")
        yield np.take_along_axis(some, order, axis=1), np.take_along_axis(alike, order, axis=1)
