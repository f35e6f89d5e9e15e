"""Similar pairs among more vectors than can all be compared: an index that finds most of them."""

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation.similar_pairs import SimilarPairs, Vectors, most_similar
from tasks.evaluation.vector_index import empty_index, sampled

# Vectors lie in lists, each around a centre, and are compared with those of the nearest lists. Of
# 200,000, that finds all pairs with a cosine of 0.9, and 98% of those with 0.7 to 0.8, in 100 s of
# one core. Of a million it should take 20 minutes, and a comparison of each with each two hours.
MOST_INDEXED = 1_000_000  # images
_QUERIES_AT_ONCE = 1024


def indexed_pairs(
    vectors: Vectors, mirrored: Vectors | None = None, *, limit: float, most: int
) -> SimilarPairs:
    """Return nearly all pairs whose cosine is at least `limit`, or the `most` most similar.

    As `similar_pairs` does; time grows with the vectors' number to the power of 1.5.
    """
    count = len(vectors)
    index = empty_index(vectors[sampled(count)], count)
    index.add(vectors)
    kept, total, least = np.empty((3, 0)), 0, limit
    for queries in (vectors,) if mirrored is None else (vectors, mirrored):
        for start in range(0, count, _QUERIES_AT_ONCE):
            block = np.ascontiguousarray(queries[start : start + _QUERIES_AT_ONCE])
            ends, similarity, others = index.range_search(block, limit)
            own = start + np.repeat(np.arange(len(block)), np.diff(ends.astype(np.int64)))
            total += int((own != others).sum())
            new = (own != others) & (similarity >= least)
            first, second = np.minimum(own, others)[new], np.maximum(own, others)[new]
            kept = np.concatenate([kept, np.stack([first, second, similarity[new]])], axis=1)
            if kept.shape[1] > 8 * most:
                kept = most_similar(_once(kept), most)
                least = kept[2, -1] if kept.shape[1] == most else limit
    kept = _once(kept)
    found = kept.shape[1] if least == limit else total // 2  # most are found from both sides
    kept = most_similar(kept, most)
    first, second = kept[:2].astype(np.int64)
    left_out = max(0, found - len(first))
    return SimilarPairs(first, second, kept[2].astype(np.float32), left_out)


def _once(pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each pair once, as similar as it was found to be."""
    pairs = pairs[:, np.lexsort((-pairs[2], pairs[1], pairs[0]))]
    same = (pairs[:2, 1:] == pairs[:2, :-1]).all(axis=0)
    return pairs[:, np.concatenate([[True], ~same])[: pairs.shape[1]]]
