"""Similar pairs among more vectors than can all be compared: an index that finds most of them."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation.similar_pairs import Mirror, SimilarPairs, Vectors, most_similar
from tasks.evaluation.vector_index import empty_index, sampled

# Vectors lie in lists, each around a centre, and are compared with those of the nearest lists. Of
# 200,000, that finds all pairs with a cosine of 0.9, and 98% of those with 0.7 to 0.8, in 100 s of
# one core. Of a million it should take 20 minutes, and a comparison of each with each two hours.
MOST_INDEXED = 1_000_000  # images
_QUERIES_AT_ONCE = 512


class VectorBlocks(Protocol):
    """Vectors that are made block by block, as often as they are iterated: never all in memory."""

    @property
    def count(self) -> int:
        """The number of vectors."""

    @property
    def width(self) -> int:
        """The numbers of a vector."""

    def __iter__(self) -> Iterator[Vectors]:
        """Yield them in order, some at a time."""


def indexed_pairs(
    vectors: VectorBlocks, mirror: Mirror | None = None, *, limit: float, most: int
) -> SimilarPairs:
    """Return nearly all pairs whose cosine is at least `limit`, or the `most` most similar.

    As `similar_pairs` does; time grows with the vectors' number to the power of 1.5. The index has
    a byte a number, by which cosines are right to some thousandths.
    """
    index = empty_index(_some(vectors), vectors.count, number_bytes=1)
    for block in vectors:
        index.add(np.ascontiguousarray(block))
    kept, total, least = np.empty((3, 0)), 0, limit
    for start, block in _queries(vectors):
        for queries in (block,) if mirror is None else (block, mirror(block)):
            ends, similarity, others = index.range_search(np.ascontiguousarray(queries), limit)
            own = start + np.repeat(np.arange(len(block)), np.diff(ends.astype(np.int64)))
            total += int((own != others).sum())
            new = (own != others) & (similarity >= least)
            first, second = np.minimum(own, others)[new], np.maximum(own, others)[new]
            kept = np.concatenate([kept, np.stack([first, second, similarity[new]])], axis=1)
            if kept.shape[1] > 3 * most:
                kept = most_similar(_once(kept), most)
                least = kept[2, -1] if kept.shape[1] == most else limit
    kept = _once(kept)
    found = kept.shape[1] if least == limit else total // 2  # most are found from both sides
    kept = most_similar(kept, most)
    first, second = kept[:2].astype(np.int64)
    left_out = max(0, found - len(first))
    return SimilarPairs(first, second, kept[2].astype(np.float32), left_out)


def _some(vectors: VectorBlocks) -> Vectors:
    """Return the vectors from which the index is made."""
    places = sampled(vectors.count)
    found, start = np.empty((len(places), vectors.width), np.float32), 0
    for block in vectors:
        first, end = np.searchsorted(places, (start, start + len(block)))
        found[first:end] = block[places[first:end] - start]
        start += len(block)
    return found


def _queries(vectors: VectorBlocks) -> Iterator[tuple[int, Vectors]]:
    start = 0
    for block in vectors:
        for first in range(0, len(block), _QUERIES_AT_ONCE):
            yield start + first, block[first : first + _QUERIES_AT_ONCE]
        start += len(block)


def _once(pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each pair once, as similar as it was found to be."""
    pairs = pairs[:, np.lexsort((-pairs[2], pairs[1], pairs[0]))]
    same = (pairs[:2, 1:] == pairs[:2, :-1]).all(axis=0)
    return pairs[:, np.concatenate([[True], ~same])[: pairs.shape[1]]]
