"""Calibration: probabilities that are right as often as they say, from a head's scores.

It is derived from the predictions that are stored with a run, of images that the head did not
learn from, so that runs of earlier versions have it too.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]  # (n, classes), margins or probabilities
Labels = NDArray[np.int64]  # (n,)
ScoreKind = Literal["probability", "margin"]

FEWEST = 10  # images; with fewer the scores are left as they are
_LEAST_PROBABILITY = 1e-12  # has a logarithm; some heads give 0
# Of images and classes that are fitted on, but at least so many images: for two numbers enough.
_CELLS, _IMAGES = 200_000, 1_000
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
        return np.asarray(np.exp(_of_clean(_clean(scores), self)))


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
    # Images are in the order of digests, so that these are drawn by chance.
    every = max(1, min(-(-scores.size // _CELLS), len(labels) // _IMAGES))
    some, theirs = scores[::every], labels[::every]
    slope, offset = _fitted(some, theirs, kind)
    return Calibration(kind, slope, offset, images=len(labels))


def _fitted(scores: Scores, labels: Labels, kind: ScoreKind) -> tuple[float, float | None]:
    """Return slope and offset: the minimum of the loss, with what was known before an image."""
    from scipy.optimize import minimize, minimize_scalar

    clean = _clean(scores)
    if kind == "probability":
        penalty = 0.5 / _SLOPE_DEVIATION**2
        found = minimize_scalar(
            lambda power: _loss(clean, labels, math.exp(power)) + penalty * power**2,
            bounds=(-_FARTHEST, _FARTHEST),
            method="bounded",
        )
        return math.exp(found.x), None
    # Heads have margins of any size, and single images far larger ones.
    unit = float(np.median(np.abs(clean[np.isfinite(clean)]))) or 1.0

    def of_margins(at: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        loss, slopes = sigmoid_loss(clean, labels, math.exp(at[0]) / unit, float(at[1]))
        penalty = at[1] / _OFFSET_DEVIATION**2
        return loss + 0.5 * float(penalty * at[1]), slopes + np.array([0.0, penalty])

    limits = [(-_FARTHEST, _FARTHEST), (-30.0, 30.0)]
    found = minimize(of_margins, [1.0, 0.0], method="L-BFGS-B", bounds=limits, jac=True)
    return math.exp(found.x[0]) / unit, float(found.x[1])


def _loss(clean: Scores, labels: Labels, slope: float) -> float:
    """Return what a temperature loses on images: minus the logarithm of their probability."""
    found = _of_clean(clean, Calibration("probability", slope))
    return -float(found[np.arange(len(labels)), labels].sum() + _UNKNOWN_IMAGES * found.mean())


def sigmoid_loss(
    clean: Scores, labels: Labels, slope: float, offset: float
) -> tuple[float, NDArray[np.float64]]:
    """Return what a sigmoid of margins loses, and the gradient by log(slope) and by offset."""
    from scipy.special import expit

    rows, learned = np.arange(len(labels)), np.isfinite(clean)
    found = _of_clean(clean, Calibration("margin", slope, offset))
    loss = -float(found[rows, labels].sum() + _UNKNOWN_IMAGES * found.mean(where=learned))
    unknown = _UNKNOWN_IMAGES / learned.sum()
    gradient = np.exp(found) * (1 + unknown * learned.sum(axis=1, keepdims=True))
    gradient -= unknown * learned
    gradient[rows, labels] -= 1
    gradient *= expit(-(slope * clean + offset))
    of_slope = np.multiply(gradient, slope * clean, where=learned, out=np.zeros_like(clean))
    return loss, np.array([of_slope.sum(), gradient.sum(where=learned)])


def _clean(scores: Scores) -> Scores:
    """Return scores without what is no number; a class without a score has -inf."""
    highest = np.finfo(np.float64).max
    clean = np.nan_to_num(scores, nan=-np.inf, posinf=highest, neginf=-np.inf)
    clean[np.isneginf(clean).all(axis=1)] = 0.0  # no class has one: all are as likely
    return clean


def _of_clean(clean: Scores, one: Calibration) -> Scores:
    """Return the logarithms of probabilities."""
    from scipy.special import log_expit, log_softmax

    with np.errstate(over="ignore"):
        if one.scores == "probability":
            values = one.slope * np.log(np.maximum(clean, _LEAST_PROBABILITY))
        else:
            values = one.slope * clean
    if one.offset is not None:
        values = log_expit(values + one.offset)
    return np.asarray(log_softmax(np.minimum(values, np.finfo(np.float64).max), axis=1))
