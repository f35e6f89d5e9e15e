"""Vectors of images, made block by block from what is stored, so that they are never all in memory.

Of a million images, 256 numbers each are a gigabyte as float32.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation.similar_pairs import Places, Vectors, unit

_ROWS_AT_ONCE = 1024
_PAIRS_AT_ONCE = 4096


class Rows(Protocol):
    """Features that can be read in order, as often as needed: a stream, in memory or stored."""

    def ordered(
        self, chosen: NDArray[np.bool_] | None = None
    ) -> Iterator[tuple[Places, NDArray[Any]]]:
        """Yield (positions, vectors) of all or the chosen ones."""


class Cosines:
    """Cosines of centred features; those of which nothing is known are zeros."""

    def __init__(self, features: Rows, count: int) -> None:
        self._features, self.count = features, count
        parts = (rows.sum(axis=0, dtype=np.float64) for _, rows in features.ordered())
        self._mean = np.asarray(sum(parts) / count, np.float32)

    @property
    def width(self) -> int:
        """The numbers of a vector."""
        return len(self._mean)

    def __iter__(self) -> Iterator[Vectors]:
        """Yield all images' vectors, of length 1, in blocks."""
        waiting, held = list[NDArray[np.float32]](), 0
        for _, rows in self._features.ordered():
            for first in range(0, len(rows), _ROWS_AT_ONCE):
                waiting.append(rows[first : first + _ROWS_AT_ONCE])
                held += len(waiting[-1])
                if held >= _ROWS_AT_ONCE:
                    yield self._centred(np.concatenate(waiting))
                    waiting, held = [], 0
        if waiting:
            yield self._centred(np.concatenate(waiting))

    def rows(self, places: Places) -> Vectors:
        """Return some images' vectors."""
        chosen = np.zeros(self.count, np.bool_)
        chosen[places] = True
        found = np.concatenate([rows for _, rows in self._features.ordered(chosen)])
        return self._centred(found)[np.searchsorted(np.flatnonzero(chosen), places)]

    def of(self, first: Places, second: Places) -> NDArray[np.float32]:
        """Return the cosine of each pair."""
        found = np.empty(len(first), np.float32)
        for start in range(0, len(first), _PAIRS_AT_ONCE):
            some = slice(start, start + _PAIRS_AT_ONCE)
            found[some] = np.einsum("ij,ij->i", self.rows(first[some]), self.rows(second[some]))
        return found

    def _centred(self, rows: NDArray[np.float32]) -> Vectors:
        return unit((rows - self._mean) * rows.any(axis=1, keepdims=True))


@dataclass(frozen=True)
class Projected:
    """Vectors along some directions only, of length 1."""

    vectors: Cosines
    axes: NDArray[np.float32]  # (numbers, directions)

    @property
    def count(self) -> int:
        """The number of vectors."""
        return self.vectors.count

    @property
    def width(self) -> int:
        """The numbers of a vector."""
        return int(self.axes.shape[1])

    def __iter__(self) -> Iterator[Vectors]:
        """Yield them in blocks."""
        return (self.along(block) for block in self.vectors)

    def rows(self, places: Places) -> Vectors:
        """Return some images' vectors."""
        return self.along(self.vectors.rows(places))

    def along(self, vectors: Vectors) -> Vectors:
        """Return whole vectors along the directions."""
        return unit(vectors @ self.axes)


@dataclass(frozen=True)
class Pixels:
    """Grey thumbnails (n, side, side) as vectors that do not depend on brightness or contrast."""

    thumbnails: NDArray[np.uint8]

    @property
    def count(self) -> int:
        """The number of vectors."""
        return len(self.thumbnails)

    @property
    def width(self) -> int:
        """The numbers of a vector."""
        return int(np.prod(self.thumbnails.shape[1:]))

    def __iter__(self) -> Iterator[Vectors]:
        """Yield them in blocks."""
        for first in range(0, self.count, _ROWS_AT_ONCE):
            yield flat(self.thumbnails[first : first + _ROWS_AT_ONCE])

    def rows(self, places: Places) -> Vectors:
        """Return some images' vectors."""
        return flat(self.thumbnails[places])

    def mirror(self, vectors: Vectors) -> Vectors:
        """Return the vectors of the same images, mirrored."""
        pictures = vectors.reshape(-1, *self.thumbnails.shape[1:])
        return pictures[:, :, ::-1].reshape(vectors.shape)


def flat(thumbnails: NDArray[np.uint8]) -> Vectors:
    """Return thumbnails as vectors that do not depend on brightness or contrast."""
    pixels = thumbnails.reshape(len(thumbnails), -1).astype(np.float32)
    pixels -= pixels.mean(axis=1, keepdims=True)
    return unit(pixels)


def whole(blocks: Iterator[Vectors], count: int, width: int) -> Vectors:
    """Return all vectors in one array."""
    found, done = np.empty((count, width), np.float32), 0
    for block in blocks:
        found[done : done + len(block)] = block
        done += len(block)
    return found
