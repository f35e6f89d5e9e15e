"""Thresholds of several labels: from which score on an image is taken to have a label.

They are derived from the predictions of held-out images that are stored with a run, as its
calibration is.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation.group_effect import Groups

Scores = NDArray[np.float64]  # (n, labels), margins or probabilities
Truth = NDArray[np.int64] | NDArray[np.float64]  # (n, labels), 0 or 1
Thresholds = NDArray[np.float64]  # (labels,)

PARTS = 5  # of the held-out images: each is predicted by the thresholds of the others


def natural_threshold(scores: Literal["probability", "margin"]) -> float:
    """Return the threshold of scores that were compared with nothing: 0.5, or 0 for margins."""
    return 0.5 if scores == "probability" else 0.0


def best_thresholds(scores: Scores, truth: Truth, *, natural: float) -> Thresholds:
    """Return for each label the threshold with the best F1 on these images.

    A threshold lies midway between two scores; a score at the threshold or above is the label. Of
    equals the natural threshold is kept, or else the nearest to it. A label that no image has keeps
    the natural one. What is found so is too good on the images that it was found on: Z. Lipton et
    al., Optimal Thresholding of Classifiers to Maximize F1 Measure, ECML PKDD 2014.
    """
    found = [
        _best(column, has == 1, natural) for column, has in zip(scores.T, truth.T, strict=True)
    ]
    return np.array(found, np.float64)


def predicted_by_others(
    scores: Scores, truth: Truth, *, natural: float, groups: Groups | None = None
) -> NDArray[np.bool_]:
    """Return which labels held-out images are predicted to have, (n, labels), without their help.

    Each fifth of the images, in their order, is compared with the thresholds of the other four;
    images of one group are in the same fifth.
    """
    numbers = np.arange(len(scores))
    if groups is not None:
        numbers = np.unique(groups, return_inverse=True)[1]
    predicted = np.zeros(scores.shape, np.bool_)
    for part in range(PARTS):
        mine = numbers % PARTS == part
        thresholds = best_thresholds(scores[~mine], truth[~mine], natural=natural)
        predicted[mine] = scores[mine] >= thresholds
    return predicted


def _best(scores: NDArray[np.float64], has: NDArray[np.bool_], natural: float) -> float:
    if not has.any():
        return natural
    scores = np.nan_to_num(scores)
    order = np.argsort(-scores, kind="stable")
    ranked, right = scores[order], np.cumsum(has[order])
    # After the last of equal scores: none of them can be told from the others.
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    f1 = 2 * right[last] / (last + 1 + has.sum())
    # The least threshold takes all images, and is a natural one if it can be.
    below = np.append(ranked[last[:-1] + 1], min(natural, ranked[-1]))
    middles = ranked[last] / 2 + below / 2  # their sum may be infinite
    middles = np.where(middles > below, middles, ranked[last])  # scores may be next to each other
    taken = scores >= natural
    own = 2 * (taken & has).sum() / (taken.sum() + has.sum())
    if own >= f1.max():
        return natural
    best = np.flatnonzero(f1 == f1.max())
    return float(middles[best[np.argmin(np.abs(middles[best] - natural))]])
