"""How unlike an image is to those that a head has learned from, by its features.

The distance of an image to the nearest training image is compared with the distances of images that
were held out. The share of these that is as far, or farther, is a p-value: of images like those of
the training, a share of 0.01 has 0.01 or less. See V. Vovk, A. Gammerman and G. Shafer, Algorithmic
Learning in a Random World (2005), chapter 2.

Example:
    >>> reference = reference_of(features, learned)
    >>> reference.shift([one.p_value for one in reference.novelty(rows)])
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stores.errors import CorruptStore, MissingFeatures
from stores.features.store import FeatureStore
from stores.keys import KEY_BYTES, Keys, from_arrow
from stores.runs.record import Run
from stores.runs.store import RunStore
from tasks.evaluation.group_effect import Groups
from tasks.evaluation.nearest import nearest
from tasks.evaluation.similar_pairs import Vectors, unit
from tasks.evaluation.split_result import groups_of
from tasks.features.vectors import averaged, vectors

NEAREST = 3
LEVEL = 0.01  # at which a folder of images is compared with what is expected
# Drawn from more: all are compared with the same images, so a p-value stays one.
MOST_TRAINING, MOST_HELD_OUT = 20_000, 2_000
_ROWS_AT_ONCE = 256  # so that a block of similarities takes 20 MiB
_ROUNDING = 1e-9
_SURE = 0.001  # the share of unchanged folders that are told to have changed


@dataclass(frozen=True)
class Learned:
    """The images that a head has learned from, and those held out; their order is that of `keys`.

    With folds all images are both: each is compared with the others.
    """

    keys: Keys
    training: NDArray[np.bool_]
    held_out: NDArray[np.bool_]
    groups: Groups | None = None
    labels: pa.Array | None = None  # as a person reads them

    @property
    def folded(self) -> bool:
        """Whether images were held out in turn."""
        return bool((self.training & self.held_out).any())

    @property
    def apart(self) -> Groups:
        """A number for each image; those with the same are not compared with each other."""
        if self.folded and self.groups is not None:
            return self.groups
        return np.arange(len(self.keys))


@dataclass(frozen=True)
class Neighbour:
    """A training image that is like another image."""

    key: bytes
    label: str
    similarity: float  # the cosine of their features
    path: str = ""  # in the folder of the run's data set; empty where that is not known


@dataclass(frozen=True)
class Novelty:
    """How unlike the training images an image is."""

    p_value: float
    nearest: tuple[Neighbour, ...]  # the most alike first


@dataclass(frozen=True)
class Shift:
    """How many images are unlike the training images, and whether more than chance explains."""

    level: float  # the share of new images that is expected to be
    images: int
    unlike: int
    held_out_images: int
    changed: bool


@dataclass(frozen=True)
class Reference:
    """What images are compared with."""

    learned: Learned
    training: Vectors  # (n, channels), each of length 1
    positions: NDArray[np.int64]  # (n,) of the training images in `learned`
    distances: NDArray[np.float32]  # (m,) of held-out images, ascending

    @property
    def least(self) -> float:
        """The smallest p-value that there can be."""
        return 1 / (len(self.distances) + 1)

    def too_few(self, level: float) -> str:
        """Return why no p-value can be as small as a level; empty where one can."""
        if self.least <= level + _ROUNDING:
            return ""
        needed = math.ceil(1 / level - _ROUNDING) - 1
        return f"needs {needed:,} held-out images, the run has {len(self.distances):,}"

    def novelty(self, rows: NDArray[np.floating]) -> list[Novelty]:
        """Return the novelty of images by their features, (n, *shape)."""
        alike = nearest([(self.positions, self.training)], unit(averaged(rows)), NEAREST)
        return [
            Novelty(float(p_value), tuple(self._neighbour(*one) for one in alike.of(n)))
            for n, p_value in enumerate(self._p_values(1 - alike.cosines[:, 0]))
        ]

    def p_values(self, rows: NDArray[np.floating], keys: Keys) -> NDArray[np.float64]:
        """Return the p-value of each image, (n,), by its vector (n, channels) and key (n, 32).

        A training image is compared with the others: not with itself, nor with its group where the
        images held out were not either.
        """
        place = {key.tobytes(): n for n, key in enumerate(self.learned.keys)}
        own = np.array([place.get(key.tobytes(), -1) for key in keys], np.int64)
        group = self.learned.apart
        of_rows = np.where(own < 0, -1, group[own])
        return self._p_values(_distances(rows, self.training, (of_rows, group[self.positions])))

    def shift(self, p_values: Sequence[float], level: float = LEVEL) -> Shift:
        """Return how many of some images are unlike the training images, at a level.

        All are compared with the same held-out images: where none has changed, the number of those
        at the level has a beta-binomial distribution.
        """
        from scipy.stats import betabinom

        images, held_out = len(p_values), len(self.distances)
        unlike = sum(one <= level + _ROUNDING for one in p_values)
        rank = math.floor(level * (held_out + 1) + _ROUNDING)
        by_chance = betabinom.sf(unlike - 1, images, rank, held_out + 1 - rank) if rank else 1.0
        return Shift(level, images, unlike, held_out, bool(by_chance <= _SURE))

    def _p_values(self, distances: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the p-values of images by the distance to the nearest training image."""
        farther = len(self.distances) - np.searchsorted(self.distances, distances)
        return np.asarray((farther + 1) / (len(self.distances) + 1), np.float64)

    def _neighbour(self, position: int, similarity: float) -> Neighbour:
        labels = self.learned.labels
        label = "" if labels is None else labels[position].as_py()
        return Neighbour(self.learned.keys[position].tobytes(), label, min(1.0, similarity))


def learned_images(predictions: pa.Table, run: Run) -> Learned:
    """Return the images of a run by its predictions (see RunStore.predictions)."""
    rows = predictions.filter(pc.is_in(predictions["split"], pa.array(["train", "validation"])))
    keys = from_arrow(rows["key"].cast(pa.binary(KEY_BYTES)))
    labels = _label_texts(rows, run)
    if run.folds:
        every = np.ones(len(keys), np.bool_)
        return Learned(keys, every, every, groups_of(rows), labels)
    held_out = pc.equal(rows["split"], "validation").to_numpy(zero_copy_only=False)
    return Learned(keys, ~held_out, held_out, groups_of(rows), labels)


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
        others = vectors(features, learned.keys[held_out])
    except MissingFeatures:
        return f"the features of its training images are not in the store ({features.recipe})"
    apart = None
    if learned.folded:  # an image is neither compared with itself nor with others of its group
        apart = learned.apart[held_out], learned.apart[training]
    distances = _distances(others, vectors_of, apart)
    return Reference(learned, vectors_of, training, np.sort(distances[np.isfinite(distances)]))


def run_reference(runs: RunStore, run: Run, features: FeatureStore) -> Reference | str:
    """Return what images are compared with that a run predicts, or why there is nothing."""
    try:
        learned = learned_images(runs.predictions(run.id), run)
    except CorruptStore as error:
        return str(error)
    return reference_of(features, learned)


def _label_texts(rows: pa.Table, run: Run) -> pa.Array:
    """Return what a person reads as the label of each image."""
    if run.target == "classes":
        return rows["label"].combine_chunks()
    truth = rows["truth"].to_pylist()
    if run.target == "number":
        return pa.array([f"{value:g}" for (value,) in truth], pa.string())
    each = (compress(run.classes, row) for row in truth)
    return pa.array([", ".join(names) for names in each], pa.string())


def _some(chosen: NDArray[np.bool_], most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    places = np.flatnonzero(chosen)
    return np.sort(rng.permutation(places)[:most])


def _distances(
    rows: Vectors, training: Vectors, apart: tuple[Groups, Groups] | None
) -> NDArray[np.float32]:
    """Return each row's distance to the nearest training image, of another group.

    Rows are vectors of any length, training vectors have length 1.
    """
    found = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        some = slice(start, start + _ROWS_AT_ONCE)
        similarity = unit(rows[some]) @ training.T
        if apart:
            similarity[apart[0][some, np.newaxis] == apart[1]] = -np.inf
        found[some] = 1 - similarity.max(axis=1)
    return found
