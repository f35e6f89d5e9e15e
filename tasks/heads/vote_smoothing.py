"""Smoothing of the votes of neighbors."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def smoothed(
    shares: NDArray[Any], neighbors: int, votes: int, outcomes: int | None = None
) -> NDArray[Any]:
    """Return each class's fraction of the votes, (n, classes), with `votes` votes added.

    These are divided evenly among the outcomes, as in the prior of W. Perks, Some observations on
    inverse probability, Journal of the Institute of Actuaries 73 (1947), 285-334, so that none has
    probability 0. The outcomes are the classes, or with 2 a label and its absence. The order of the
    classes does not change.
    """
    share = votes / (outcomes or shares.shape[1])
    return np.asarray((shares * neighbors + share) / (neighbors + votes))
