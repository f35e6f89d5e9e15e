"""An index of vectors, for more comparisons than can all be made: faiss's inverted lists."""

from importlib.util import find_spec
from typing import Any, Literal

import numpy as np

from tasks.evaluation.similar_pairs import Vectors

NEAREST_LISTS = 32  # that are looked into for each query
_LISTS = 4  # times the root of the vectors
_VECTORS_A_LIST, _ROUNDS = 40, 10  # from which the centres are found; faiss wants 39


def can_index() -> bool:
    """Return whether there is a library that does."""
    return find_spec("faiss") is not None


def sampled(count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return which of so many vectors the centres are found from, in their order."""
    drawn = np.random.default_rng(0).permutation(count)[: _VECTORS_A_LIST * _lists(count)]
    return np.sort(drawn)


def empty_index(sample: Vectors, count: int, *, number_bytes: Literal[1, 2]) -> Any:  # noqa: ANN401  faiss's
    """Return an index for so many vectors of length 1, around the centres of a sample of them.

    By two bytes a number, float16, cosines are right to four digits; by one, to two or three.
    """
    import faiss

    width, lists = sample.shape[1], min(_lists(count), len(sample))
    centres, by = faiss.IndexFlatIP(width), faiss.METRIC_INNER_PRODUCT
    kinds = {1: faiss.ScalarQuantizer.QT_8bit, 2: faiss.ScalarQuantizer.QT_fp16}
    index = faiss.IndexIVFScalarQuantizer(centres, width, lists, kinds[number_bytes], by)
    index.by_residual = number_bytes == 1  # numbers less a centre's are smaller, and so the steps
    index.cp.spherical, index.cp.niter, index.cp.seed = True, _ROUNDS, 0
    index.train(sample)
    index.nprobe = NEAREST_LISTS
    return index


def _lists(count: int) -> int:
    return max(1, int(_LISTS * count**0.5))
