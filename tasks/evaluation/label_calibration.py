"""Probabilities of several labels that are right as often as they say, from a head's scores.

It is derived, as that of classes, from the predictions of held-out images. See
`tasks.evaluation.calibration`.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation.calibration import FEWEST, ScoreKind

Scores = NDArray[np.float64]  # (n, labels), margins or probabilities
Truth = NDArray[np.float64]  # (n, labels), 0 or 1

_LEAST_PROBABILITY = 1e-12  # has a logit; some heads give 0 or 1
# What is known before an image is seen, as standard deviations: as for classes.
_SLOPE_DEVIATION, _OFFSET_DEVIATION = 0.5, 3.0
# Beside the held-out images, half an image that has each label, or has it not, with the same
# probability: a head that has all right must not become certain.
_UNKNOWN_IMAGES = 0.5
_FARTHEST = 12.0  # of the logarithm of the slope, and 30 of the offset


@dataclass(frozen=True)
class LabelCalibration:
    """How the score of each label becomes its probability; a larger score is more probable.

    Probabilities get a temperature, sigmoid(slope · logit): C. Guo et al., On Calibration of Modern
    Neural Networks, ICML 2017. Margins get sigmoid(slope · margin + offset): J. Platt,
    Probabilistic outputs for SVMs, 1999. The numbers are the same for all labels, since a rare
    label has too few held-out images.
    """

    scores: ScoreKind
    slope: float = 1.0
    offset: float = 0.0  # of margins
    images: int = 0  # that it was fitted on
    why_not: str = ""  # it was not fitted; '' where it was

    def __post_init__(self) -> None:
        """Raise ValueError for numbers that none was fitted to."""
        whole = math.isfinite(self.slope) and math.isfinite(self.offset)
        if not whole or self.slope <= 0 or self.images < 0:
            raise ValueError(f"no calibration: slope {self.slope}, offset {self.offset}")

    def probabilities(self, scores: Scores) -> Scores:
        """Return the probability of each label, (n, labels), each from 0 to 1."""
        from scipy.special import expit

        return np.asarray(expit(self.slope * _margins(scores, self.scores) + self.offset))


def calibrate_labels(scores: Scores, truth: Truth, *, kind: ScoreKind) -> LabelCalibration:
    """Fit a calibration to held-out images by the log loss of each label of each image.

    A label whose scores are all the same, as of one that no training image has, tells nothing and
    is left out. With fewer than FEWEST images, or where all have all labels or none, nothing is
    fitted.
    """
    from scipy.optimize import minimize
    from scipy.special import log_expit

    if len(truth) < FEWEST:
        few = f"only {len(truth)} held-out images, expected at least {FEWEST}"
        return LabelCalibration(kind, why_not=few)
    told = np.ptp(_margins(scores, kind), axis=0) > 0
    if not told.any():
        return LabelCalibration(kind, why_not="the scores of each label are all the same")
    margins, truth = _margins(scores, kind)[:, told], truth[:, told]
    if truth.min() == truth.max():
        what = "all labels" if truth.max() else "none of the labels"
        return LabelCalibration(kind, why_not=f"the held-out images have {what}")
    # Heads have margins of any size, and single images far larger ones.
    unit = 1.0 if kind == "probability" else float(np.median(np.abs(margins))) or 1.0
    # How much each answer counts: `has` for the label, `others` against it.
    unknown = _UNKNOWN_IMAGES / 2 / len(truth)
    has, others = truth + unknown, 1 - truth + unknown

    # Of the slope of margins nothing is known before: heads give them any size.
    slope_deviation = _SLOPE_DEVIATION if kind == "probability" else math.inf
    deviations = np.array([slope_deviation, _OFFSET_DEVIATION])

    def loss(at: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        slope = math.exp(at[0]) / unit
        offset = float(at[1]) if kind == "margin" else 0.0
        logits = slope * margins + offset
        lost = -float((has * log_expit(logits) + others * log_expit(-logits)).sum())
        wrong = others * np.exp(log_expit(logits)) - has * np.exp(log_expit(-logits))
        known = at / deviations
        gradient = np.array([(wrong * slope * margins).sum(), wrong.sum() * (kind == "margin")])
        return lost + 0.5 * float(known @ known), gradient + known / deviations

    limits = [(-_FARTHEST, _FARTHEST), (-30.0, 30.0)]
    start = [0.0 if kind == "probability" else 1.0, 0.0]
    found = minimize(loss, start, method="L-BFGS-B", bounds=limits, jac=True).x
    offset = float(found[1]) if kind == "margin" else 0.0
    return LabelCalibration(kind, math.exp(found[0]) / unit, offset, images=len(truth))


def _margins(scores: Scores, kind: ScoreKind) -> Scores:
    """Return margins without what is no number; probabilities as their logits."""
    from scipy.special import logit

    if kind == "probability":
        clean = np.nan_to_num(scores, nan=0.5)
        return np.asarray(logit(np.clip(clean, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)))
    highest = 1e100
    return np.nan_to_num(np.clip(scores, -highest, highest), nan=0.0)
