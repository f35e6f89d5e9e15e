"""Intervals that hold the true number with a given probability: split conformal prediction.

H. Papadopoulos et al., Inductive Confidence Machines for Regression, ECML 2002; J. Lei et al.,
Distribution-Free Predictive Inference for Regression, JASA 113 (2018), algorithm 2. All that is
assumed is that new images come as the held-out ones did; the head may be wrong.

Example:
    >>> rule = interval_rule(residuals_of(held.scores, held.truth, held.groups), 0.9)
    >>> low, high = rule.intervals(predicted)
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tasks.errors import InputError
from tasks.evaluation.group_effect import Groups, group_effect
from tasks.evaluation.prediction_sets import check_coverage, limit_of
from tasks.evaluation.set_names import CoverageBy
from tasks.evaluation.split_result import wilson

Numbers = NDArray[np.float64]
_ROUNDING = 1e-9  # relative: means of neighbors are as far from the truth, and float64 differs


@dataclass(frozen=True)
class Residuals:
    """How far the prediction of each held-out image is from its true number."""

    sizes: Numbers  # (n,) absolute
    groups: Groups | None = None  # (n,)


@dataclass(frozen=True)
class IntervalRule:
    """An interval around each prediction, as wide for all of them."""

    coverage: float
    by: Literal["group"] | None
    half_width: float
    images: int  # by which it was found

    def intervals(self, predicted: Numbers) -> tuple[Numbers, Numbers]:
        """Return the lower and the upper ends for predicted numbers, each of their shape."""
        return predicted - self.half_width, predicted + self.half_width


@dataclass(frozen=True)
class IntervalCoverage:
    """How often intervals held the true number on some images, and how wide they were."""

    coverage: float  # that was asked for
    share: float
    low: float  # of its 95% interval
    high: float
    mean_width: float
    images: int


def residuals_of(predicted: Numbers, true: Numbers, groups: Groups | None = None) -> Residuals:
    """Return the residuals of held-out images; numbers are (n,) or (n, 1)."""
    return Residuals(np.abs(predicted.ravel() - true.ravel()), groups)


def interval_rule(
    found: Residuals, coverage: float, *, by: CoverageBy | None = None
) -> IntervalRule:
    """Return the rule by which intervals hold the true number of a share `coverage` of new images.

    Half the width is the residual at place ⌈(n + 1) · coverage⌉ of n. Where there are groups the
    share holds for an image of a new group: each group counts the same, whatever its size (Y. Lee
    et al., Distribution-free Inference with Hierarchical Data, JRSSB 2025). Raises InputError for a
    coverage that the held-out images do not allow.
    """
    if by == "class":
        raise InputError(
            "--coverage-by class: the run predicts a number, and there are no classes; give "
            "--coverage-by group, or leave it out"
        )
    check_coverage(coverage, by, found.groups)
    half_width = limit_of(found.sizes, found.groups, coverage)
    grouped: Literal["group"] | None = None if found.groups is None else "group"
    return IntervalRule(coverage, grouped, half_width, len(found.sizes))


def interval_coverage(
    rule: IntervalRule, predicted: Numbers, true: Numbers, groups: Groups | None = None
) -> IntervalCoverage | None:
    """Return how often a rule's intervals hold the true numbers of images it was not found by.

    Numbers are (n,) or (n, 1); None without images. Groups make the 95% interval of the share, E.
    B. Wilson's, wider.
    """
    if not len(true):
        return None
    away = np.abs(predicted.ravel() - true.ravel())
    holds = away <= rule.half_width * (1 + _ROUNDING)
    effect = group_effect(holds, groups)
    ends = wilson(float(holds.sum()) / effect, len(holds) / effect)
    width = 2 * rule.half_width
    return IntervalCoverage(rule.coverage, float(holds.mean()), *ends, width, len(holds))
