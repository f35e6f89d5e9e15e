"""The most similar pairs among many vectors: an exact search in blocks, of bounded memory."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]  # (n, numbers), each of length 1, or all zeros
Places = NDArray[np.int64]
Mirror = Callable[[Vectors], Vectors]  # from vectors of images to those of the images mirrored

_ROWS_AT_ONCE = 1024
_COLUMNS_AT_ONCE = 16_384  # so that a block of similarities takes 64 MiB


@dataclass(frozen=True)
class SimilarPairs:
    """Pairs of places, the first the lower, the most similar first."""

    first: Places
    second: Places
    similarity: Vectors
    left_out: int  # pairs that are similar enough, beyond the most that were asked for


NO_PAIRS = SimilarPairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32), 0)


def similar_pairs(
    vectors: Vectors, mirror: Mirror | None = None, *, limit: float, most: int
) -> SimilarPairs:
    """Return all pairs whose cosine is at least `limit`, or the `most` that are most similar.

    With `mirror` a pair is as similar as the more similar of the two ways. Each pair is looked at:
    time grows with the square of the images, memory does not.
    """
    kept = np.empty((3, 0))
    total, least = 0, limit
    for row in range(0, len(vectors), _ROWS_AT_ONCE):
        block = vectors[row : row + _ROWS_AT_ONCE]
        turned = mirror(block) if mirror else None
        for column in range(row, len(vectors), _COLUMNS_AT_ONCE):
            others = slice(column, column + _COLUMNS_AT_ONCE)
            similarity = block @ vectors[others].T
            if turned is not None:
                np.maximum(similarity, turned @ vectors[others].T, out=similarity)
            rows, columns = np.nonzero(similarity >= limit)
            later = columns + column > rows + row
            rows, columns = rows[later], columns[later]
            total += len(rows)
            found = similarity[rows, columns]
            high = found >= least
            new = np.stack([rows[high] + row, columns[high] + column, found[high]])
            kept = np.concatenate([kept, new], axis=1)
            if kept.shape[1] > 2 * most:
                kept = most_similar(kept, most)
                least = kept[2, -1]
    kept = most_similar(kept, most)
    first, second = kept[:2].astype(np.int64)
    return SimilarPairs(first, second, kept[2].astype(np.float32), total - len(first))


def unit(vectors: NDArray[np.float32]) -> Vectors:
    """Return vectors of length 1; zeros stay."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(norms > 0, norms, 1), np.float32)


def most_similar(pairs: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Return the most similar of pairs (first, second, similarity), in that order."""
    return pairs[:, np.lexsort((pairs[1], pairs[0], -pairs[2]))[:most]]
