"""How far two runs for several labels or a number differ on the same images."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from stores.targets import Target
from tasks.evaluation.bootstrap import CONFIDENCE, weights_of
from tasks.evaluation.figure_estimates import figure_of, of_weights
from tasks.evaluation.held_out_scores import Scored


@dataclass(frozen=True)
class FigureDifference:
    """The difference of two runs' main figures, second minus first."""

    images: int
    difference: float
    low: float
    high: float
    p_value: float
    corrected_low: float  # for several comparisons at once
    corrected_high: float
    corrected_p_value: float


def figure_difference(
    first: Scored, second: Scored, target: Target, *, comparisons: int
) -> FigureDifference | None:
    """Return how two runs differ on the same images; None for a single image, or group.

    The standard error is that of the difference over draws of the images, by which the interval and
    the p-value are those of a normal distribution (B. Efron and R. Tibshirani, An Introduction to
    the Bootstrap, Chapman & Hall 1993, chapter 13). They are corrected by Bonferroni's inequality.
    """
    both = [of_weights(images, target) for images in (first, second)]
    drawn = [
        both[1](weights) - both[0](weights) for weights in weights_of(len(first.keys), first.groups)
    ]
    values = np.concatenate(drawn) if drawn else np.empty(0)
    values = values[~np.isnan(values)]
    if len(values) < 2:
        return None
    difference = figure_of(second, target) - figure_of(first, target)
    error = float(values.std(ddof=1))
    p_value = (
        math.erfc(abs(difference) / (error * math.sqrt(2))) if error else float(not difference)
    )
    ends = [
        NormalDist().inv_cdf((1 + level) / 2) * error
        for level in (CONFIDENCE, 1 - (1 - CONFIDENCE) / comparisons)
    ]
    return FigureDifference(
        images=len(first.keys),
        difference=difference,
        low=difference - ends[0],
        high=difference + ends[0],
        p_value=p_value,
        corrected_low=difference - ends[1],
        corrected_high=difference + ends[1],
        corrected_p_value=min(1.0, comparisons * p_value),
    )
