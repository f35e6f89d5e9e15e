"""The vectors most similar to some others, among many that come in blocks: exact, by the cosine."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation.similar_pairs import Places, Vectors

Blocks = Iterable[tuple[Places, NDArray[np.float32]]]  # places and their vectors, of any length
NOWHERE = -1  # the place of what there is not
_QUERIES_AT_ONCE = 1024


@dataclass(frozen=True)
class Nearest:
    """For each query the places most similar to it, (queries, k); NOWHERE beyond the last one."""

    places: Places
    cosines: Vectors

    def of(self, query: int) -> list[tuple[int, float]]:
        """Return the places and cosines of one query, the most similar first."""
        there = self.places[query] != NOWHERE
        found = self.places[query][there].tolist(), self.cosines[query][there].tolist()
        return list(zip(*found, strict=True))


def nearest(blocks: Blocks, queries: Vectors, k: int, *, without: Places | None = None) -> Nearest:
    """Return the k places most similar to each query, a vector of length 1.

    `without` is a place for each query that is left out, its own. Of equally similar places the
    first to come is first. One block is in memory at a time, and its products.
    """
    places = np.full((len(queries), k), NOWHERE, np.int64)
    cosines = np.full((len(queries), k), -np.inf, np.float32)
    for at, vectors in blocks:
        lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        inverse = 1 / np.where(lengths > 0, lengths, 1)
        for start in range(0, len(queries), _QUERIES_AT_ONCE):
            some = slice(start, start + _QUERIES_AT_ONCE)
            similarity = queries[some] @ vectors.T
            similarity *= inverse
            if without is not None:
                similarity[at == without[some, np.newaxis]] = -np.inf
            _keep(places[some], cosines[some], at, similarity)
    return Nearest(places, cosines)


def _keep(places: Places, cosines: Vectors, at: Places, similarity: Vectors) -> None:
    """Put what is more similar than the last of those kept among them."""
    k = places.shape[1]
    for query in np.flatnonzero(similarity.max(axis=1, initial=-np.inf) > cosines[:, -1]).tolist():
        new = np.flatnonzero(similarity[query] > cosines[query, -1])
        if len(new) > k:  # to sort all of a first block would take ten times as long
            found = similarity[query, new]
            new = new[found >= np.partition(found, -k)[-k]]
        both = np.concatenate([cosines[query], similarity[query, new]])
        order = np.argsort(-both, kind="stable")[:k]
        places[query] = np.concatenate([places[query], at[new]])[order]
        cosines[query] = both[order]
