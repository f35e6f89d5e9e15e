"""Strata of numbers: by them, images with a number are split as others are by their classes."""

import numpy as np
from numpy.typing import NDArray

# With fewer images in a stratum its share of a split is rounded too often; more strata do not bring
# the means of the splits nearer to one another.
_LEAST, _MOST = 10, 20


def number_strata(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the stratum of each number, (n,): from the smallest to the largest, equally full.

    Equal numbers are in one stratum.
    """
    count = min(max(1, len(values) // _LEAST), _MOST)
    if count == 1:
        return np.zeros(len(values), np.int64)
    edges = np.quantile(values, np.arange(1, count) / count, method="lower")
    return np.unique(np.searchsorted(edges, values, side="right"), return_inverse=True)[1]
