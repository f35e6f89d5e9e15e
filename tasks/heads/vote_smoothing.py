"""Votes of neighbours, of which none is certain."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def smoothed(shares: NDArray[Any], neighbors: int, votes: int) -> NDArray[Any]:
    """Return each class's share of the neighbours' votes, (n, classes), with some votes added.

    These are shared evenly by all classes, as by the prior of W. Perks, Some observations on
    inverse probability, Journal of the Institute of Actuaries 73 (1947), 285-334: no class is
    impossible because none of a few neighbours is of it. The order of the classes stays.
    """
    return np.asarray((shares * neighbors + votes / shares.shape[1]) / (neighbors + votes))
