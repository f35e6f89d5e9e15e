"""The difference of two paired proportions: a test, and the interval that agrees with it."""

import math
from statistics import NormalDist

_EDGE = 1e-9  # beyond it the score has no variance


def score_p_value(only_first: float, only_second: float) -> float:
    """Return the two-sided p-value of McNemar's score test; 1 where nothing differs.

    Q. McNemar, Note on the sampling error of the difference between correlated proportions or
    percentages, Psychometrika 12 (1947), 153-157; without a continuity correction.
    """
    differ = only_first + only_second
    return math.erfc(abs(only_second - only_first) / math.sqrt(2 * differ)) if differ else 1.0


def score_interval(
    only_first: float, only_second: float, images: float, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Return the score interval of the difference, second minus first, from -1 to 1.

    T. Tango, Equivalence test and confidence interval for the difference in proportions for the
    paired-sample design, Statistics in Medicine 17 (1998), 891-908. It holds all differences that
    the score test does not reject, so it holds 0 where `score_p_value` is at least 1 - confidence;
    where nothing differs it has a width.
    """
    if not images:
        return -1.0, 1.0
    from scipy.optimize import brentq

    z = NormalDist().inv_cdf((1 + confidence) / 2)
    middle = (only_second - only_first) / images

    def above(difference: float) -> float:
        return _score(difference, only_first, only_second, images) - z

    def below(difference: float) -> float:
        return _score(difference, only_first, only_second, images) + z

    least, most = -1 + _EDGE, 1 - _EDGE
    low = brentq(above, least, middle) if middle > least and above(least) > 0 else -1.0
    high = brentq(below, middle, most) if middle < most and below(most) < 0 else 1.0
    return float(low), float(high)


def _score(difference: float, only_first: float, only_second: float, images: float) -> float:
    """Return Tango's statistic, near normal where `difference` is the true one."""
    # The largest likelihood at this difference: a root of 2n·q² + b·q + c = 0 is the share of
    # images that only the first has right.
    b = (2 * images - only_second + only_first) * difference - only_second - only_first
    c = -only_first * difference * (1 - difference)
    share = (math.sqrt(max(0.0, b * b - 8 * images * c)) - b) / (4 * images)
    variance = images * (2 * share + difference * (1 - difference))
    gap = only_second - only_first - images * difference
    if variance <= 0:
        return math.copysign(math.inf, gap) if abs(gap) > _EDGE else 0.0
    return gap / math.sqrt(variance)
