"""The vectors most similar to many others, by an index that finds nearly all of them."""

import numpy as np

from tasks.evaluation.nearest import NOWHERE, Blocks, Nearest
from tasks.evaluation.similar_pairs import Places, Vectors, unit
from tasks.evaluation.vector_index import empty_index

# Comparisons, such as of a million images with 40,000: some minutes on two cores. To fill the index
# takes as long as to compare all with some thousands, so that it never pays for a few queries.
MOST_COMPARISONS = 4 * 10**10
_QUERIES_AT_ONCE = 4096


def indexed_nearest(
    blocks: Blocks,
    sample: Vectors,
    count: int,
    queries: Vectors,
    k: int,
    *,
    without: Places | None = None,
) -> Nearest:
    """Return nearly all of what `nearest` does, of `count` vectors in blocks.

    The index is made around a `sample` of the vectors, and keeps them as float16.
    """
    index = empty_index(unit(sample), count, number_bytes=2)
    place_of = np.empty(count, np.int64)
    done = 0
    for at, vectors in blocks:
        index.add(unit(vectors))
        place_of[done : done + len(at)] = at
        done += len(at)
    places = np.full((len(queries), k), NOWHERE, np.int64)
    cosines = np.full((len(queries), k), -np.inf, np.float32)
    for start in range(0, len(queries), _QUERIES_AT_ONCE):
        some = slice(start, start + _QUERIES_AT_ONCE)
        similarity, rows = index.search(queries[some], min(k + 1, done))  # itself is among them
        found = np.where(rows >= 0, place_of[rows], NOWHERE)
        out = found == NOWHERE
        if without is not None:
            out |= found == without[some, np.newaxis]
        order = np.lexsort((found, -similarity, out))[:, :k]
        taken = np.take_along_axis(np.where(out, NOWHERE, found), order, 1)
        places[some, : taken.shape[1]] = taken
        kept = np.where(taken == NOWHERE, -np.inf, np.take_along_axis(similarity, order, 1))
        cosines[some, : taken.shape[1]] = kept
    return Nearest(places, cosines)
