"""Smoothing of the votes of neighbors."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def smoothed(shares: NDArray[Any], neighbors: int, votes: int) -> NDArray[Any]:
    """Return each class's fraction of the votes, (n, classes), with `votes` votes added.

    These are divided evenly among the classes, as in the prior of W. Perks, Some observations on
    inverse probability, Journal of the Institute of Actuaries 73 (1947), 285-334, so that no class
    has probability 0. The order of the classes does not change.
    """
    return np.asarray((shares * neighbors + votes / shares.shape[1]) / (neighbors + votes))
