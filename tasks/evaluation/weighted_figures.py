"""Figures of images with weights, for many draws of them at once; see tasks.evaluation.bootstrap.

Of a draw with weights 1 each is scikit-learn's.
"""

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation.bootstrap import Weights

_ROUNDING = 1e-12  # of a variance: below it a draw has one number only
Matrix = NDArray[np.float64]  # (n, labels)


class WeightedPrecision:
    """The mean average precision of scores beside truth, (n, labels), for draws of the images."""

    def __init__(self, scores: Matrix, truth: Matrix) -> None:
        scores = np.nan_to_num(scores)
        self._columns = [
            _ranked(scores[:, n], truth[:, n]) for n in np.flatnonzero(truth.any(axis=0))
        ]

    def __call__(self, weights: Weights) -> NDArray[np.float64]:
        """Return the mean over the labels that a draw has, (draws,); NaN for a draw without."""
        found = [_average_precision(weights, *column) for column in self._columns]
        return mean_of_some(np.array(found).reshape(len(found), len(weights)))


def weighted_macro_f1(
    predicted: NDArray[np.bool_], truth: Matrix, weights: Weights
) -> NDArray[np.float64]:
    """Return the mean F1 over the labels that a draw has, (draws,); NaN for a draw without."""
    has = truth == 1
    right, given, true = (
        weights @ part.astype(np.float64) for part in (predicted & has, predicted, has)
    )
    with np.errstate(invalid="ignore"):
        f1 = np.where(true > 0, 2 * right / (given + true), np.nan)
    return mean_of_some(f1.T)


def weighted_mean(values: NDArray[np.float64], weights: Weights) -> NDArray[np.float64]:
    """Return the mean of values (n,) over each draw, (draws,); NaN for one without images."""
    with np.errstate(invalid="ignore"):
        return np.asarray(weights @ values / weights.sum(axis=1))


def weighted_r2(
    predicted: NDArray[np.float64], truth: NDArray[np.float64], weights: Weights
) -> NDArray[np.float64]:
    """Return R² over each draw, (draws,); NaN where all true numbers are the same."""
    centred = truth - truth.mean()  # so that squares are not far larger than their difference
    spread = weighted_mean(centred**2, weights) - weighted_mean(centred, weights) ** 2
    errors = weighted_mean((truth - predicted) ** 2, weights)
    some = spread > _ROUNDING * float(centred.var())
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(some, 1 - errors / spread, np.nan)


def mean_of_some(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the first axis without NaN; NaN where all are."""
    some = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(some, values, 0.0).sum(axis=0) / some.sum(axis=0))


Ranked = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


def _ranked(scores: NDArray[np.float64], truth: NDArray[np.float64]) -> Ranked:
    """Return the images by falling score, the places of those that have the label, and of ties.

    The latter are where the equal scores of each of them end: none of these comes first.
    """
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    having = np.flatnonzero(truth[order] == 1)
    return order, having, last[np.searchsorted(last, having)]


def _average_precision(
    weights: Weights,
    order: NDArray[np.int64],
    having: NDArray[np.int64],
    ends: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the mean of the precision at each image that has the label; NaN where none is drawn.

    That is the sum of recall gained times precision, as in scikit-learn's average precision.
    """
    drawn = np.cumsum(weights[:, order], axis=1)
    own = weights[:, order[having]]
    right = np.cumsum(own, axis=1)[:, np.searchsorted(having, ends, side="right") - 1]
    total = own.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(own > 0, right / drawn[:, ends], 0.0)
        return np.asarray((own * precision).sum(axis=1) / total)
