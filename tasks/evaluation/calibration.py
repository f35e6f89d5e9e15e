"""Calibration: probabilities that are right as often as they say, from a head's scores.

It is derived from the predictions that are stored with a run, of images that the head did not
learn from, so that runs of earlier versions have it too.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]  # (n, classes), margins or probabilities
Labels = NDArray[np.int64]  # (n,)
ScoreKind = Literal["probability", "margin"]

FEWEST = 10  # images; with fewer the scores are left as they are
_LEAST_PROBABILITY = 1e-12  # has a logarithm; some heads give 0
_CELLS = 2_000_000  # of images and classes that are fitted on: for two numbers more than enough
# How uncertain the two numbers are before an image is seen, as standard deviations. With 10 images
# a head that was calibrated stays so, and with 100 one that was not becomes so: measured on digits
# and on cats and dogs, with six kinds of heads.
_SLOPE_DEVIATION, _OFFSET_DEVIATION = 0.5, 3.0
# Beside the held-out images, half an image whose class is anything: a head that has all right must
# not become certain, as in J. Platt's targets (Probabilistic outputs for SVMs, 1999).
_UNKNOWN_IMAGES = 0.5
_FARTHEST = 12.0  # of the logarithm of the slope, and 30 of the offset


@dataclass(frozen=True)
class Calibration:
    """How a head's scores become probabilities; the largest score stays the largest.

    Probabilities get a temperature: their power by `slope`, normalised (C. Guo et al., On
    Calibration of Modern Neural Networks, ICML 2017). Margins, of one class against the rest, go
    through one sigmoid for all classes, sigmoid(slope · margin + offset), normalised. A softmax of
    margins with a temperature has twice the log loss on ten digits: an image far from everything
    has large margins for several classes. A sigmoid or an offset for each class (Platt, vector
    scaling) needs more images, and changes which class is predicted.
    """

    scores: ScoreKind
    slope: float = 1.0
    offset: float | None = None  # None: margins go through a softmax
    images: int = 0  # that it was fitted on
    why_not: str = ""  # it was not fitted; '' where it was

    def __post_init__(self) -> None:
        """Raise ValueError for numbers that none was fitted to."""
        numbers = (self.slope, self.offset or 0.0)
        if not all(map(math.isfinite, numbers)) or self.slope <= 0 or self.images < 0:
            raise ValueError(f"no calibration: slope {self.slope}, offset {self.offset}")

    def probabilities(self, scores: Scores) -> Scores:
        """Return probabilities, (n, classes), each row of which adds up to 1."""
        return np.asarray(np.exp(_log_probabilities(scores, self)))


def calibrate(scores: Scores, labels: Labels, *, kind: ScoreKind) -> Calibration:
    """Fit a calibration to held-out images by their log loss.

    An image of a class that the head did not learn tells nothing and is left out. With fewer than
    FEWEST images, or with images of one class, nothing is fitted.
    """
    known = np.isfinite(scores[np.arange(len(labels)), labels])
    scores, labels = scores[known], labels[known]
    if len(labels) < FEWEST:
        few = f"only {len(labels)} held-out images, expected at least {FEWEST}"
        return Calibration(kind, why_not=few)
    if len(np.unique(labels)) < 2:
        return Calibration(kind, why_not="the held-out images are of one class")
    every = max(1, -(-scores.size // _CELLS))  # images are in the order of digests: by chance
    some, theirs = scores[::every], labels[::every]
    slope, offset = _fitted(some, theirs, kind)
    return Calibration(kind, slope, offset, images=len(labels))


def _fitted(scores: Scores, labels: Labels, kind: ScoreKind) -> tuple[float, float | None]:
    from scipy.optimize import minimize, minimize_scalar

    loss = _loss_of(scores, labels)
    if kind == "probability":
        bounds = (-_FARTHEST, _FARTHEST)
        penalty = 0.5 / _SLOPE_DEVIATION**2
        found = minimize_scalar(
            lambda power: loss(Calibration(kind, math.exp(power))) + penalty * power**2,
            bounds=bounds,
            method="bounded",
        )
        return math.exp(found.x), None
    # Heads have margins of any size, and single images far larger ones.
    unit = float(np.median(np.abs(scores[np.isfinite(scores)]))) or 1.0

    def of_margins(at: NDArray[np.float64]) -> float:
        one = Calibration(kind, math.exp(at[0]) / unit, float(at[1]))
        return loss(one) + 0.5 * float(at[1] / _OFFSET_DEVIATION) ** 2

    limits = [(-_FARTHEST, _FARTHEST), (-30.0, 30.0)]
    found = minimize(of_margins, [1.0, 0.0], method="L-BFGS-B", bounds=limits)
    return math.exp(found.x[0]) / unit, float(found.x[1])


def _loss_of(scores: Scores, labels: Labels) -> Callable[[Calibration], float]:
    """Return what a calibration loses on images: minus the logarithm of their probability."""
    rows = np.arange(len(labels))

    def loss(one: Calibration) -> float:
        found = _log_probabilities(scores, one)
        anything = found[np.isfinite(found)].mean()  # a class that was not learned has none
        return -float(found[rows, labels].sum() + _UNKNOWN_IMAGES * anything)

    return loss


def _log_probabilities(scores: Scores, one: Calibration) -> Scores:
    from scipy.special import log_expit, log_softmax

    highest = np.finfo(np.float64).max
    clean = np.nan_to_num(scores, nan=-np.inf, posinf=highest, neginf=-np.inf)
    with np.errstate(over="ignore"):
        if one.scores == "probability":
            values = one.slope * np.log(np.maximum(clean, _LEAST_PROBABILITY))
        elif one.offset is None:
            values = one.slope * clean
        else:
            values = log_expit(one.slope * clean + one.offset)
    lowest = np.isneginf(values).all(axis=1)
    values[lowest] = 0.0  # no class has a score: all are as likely
    return np.asarray(log_softmax(np.minimum(values, highest), axis=1))
