"""The score interval of a paired difference: against its definition, and how often it holds."""

import itertools
import math
from functools import cache

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import chi2, multinomial

from tasks.evaluation.paired_difference import score_interval, score_p_value

interval = cache(score_interval)


@pytest.mark.parametrize(
    ("only_first", "only_second", "images", "expected"),
    [
        (12, 2, 50, (-0.3447, -0.0611)),
        (150, 86, 1600, (-0.0590, -0.0214)),
        (0, 0, 20, (-0.1611, 0.1611)),
        (0, 20, 20, (0.6777, 1.0)),
        (0, 0, 0, (-1.0, 1.0)),
    ],
)
def test_known_intervals(only_first, only_second, images, expected):
    assert interval(only_first, only_second, images) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("counts", [(3, 9, 40), (0, 4, 25), (7, 7, 60), (1, 30, 90)])
def test_at_its_ends_the_score_is_the_normal_quantile(counts):
    """By the likelihood itself, maximised numerically under each end's difference."""
    first, second, images = counts
    for end in interval(*counts):

        def unlikely(share, end=end):
            shares = share, share + end, 1 - 2 * share - end
            seen = first, second, images - first - second
            return -sum(n * math.log(max(p, 1e-300)) for n, p in zip(seen, shares, strict=True))

        bounds = max(0.0, -end), (1 - end) / 2
        share = minimize_scalar(unlikely, bounds=bounds, method="bounded", options={"xatol": 1e-12})
        variance = images * (2 * share.x + end - end**2)
        score = (second - first - images * end) / math.sqrt(variance)
        assert abs(score) == pytest.approx(1.96, abs=2e-3)


def test_the_p_value_is_chi_squareds():
    for first, second in [(2, 10), (0, 4), (5, 5), (1, 0)]:
        statistic = (second - first) ** 2 / (first + second)
        assert score_p_value(first, second) == pytest.approx(chi2.sf(statistic, 1))
    assert score_p_value(0, 0) == 1.0


@pytest.mark.parametrize("images", [10, 20, 50])
def test_interval_and_p_value_never_contradict_each_other(images):
    for first, second in itertools.product(range(images + 1), repeat=2):
        if first + second <= images:
            low, high = interval(first, second, images)
            assert low < high
            assert (score_p_value(first, second) < 0.05) == (not low <= 0 <= high)


@pytest.mark.parametrize("difference", [0.0, 0.02, 0.1, 0.3])
@pytest.mark.parametrize("images", [20, 30, 50])
def test_the_interval_holds_the_difference_as_often_as_it_promises(images, difference):
    """Not by simulation: over all outcomes, with their probabilities."""
    for more in (0.02, 0.1, 0.3):
        shares = more / 2, difference + more / 2
        outcomes = [
            (first, second)
            for first, second in itertools.product(range(images + 1), repeat=2)
            if first + second <= images
        ]
        counts = np.array([(*o, images - sum(o)) for o in outcomes])
        chances = multinomial.pmf(counts, images, [*shares, 1 - sum(shares)])
        ends = np.array([interval(*outcome, images) for outcome in outcomes])
        held = (ends[:, 0] <= difference + 1e-9) & (difference - 1e-9 <= ends[:, 1])
        assert chances[held].sum() >= 0.93


@pytest.mark.parametrize("images", [100, 300])
def test_so_it_does_on_many_images(images):
    for difference, more in itertools.product((0.02, 0.1), (0.02, 0.3)):
        shares = more / 2, difference + more / 2
        drawn = np.random.default_rng(0).multinomial(images, [*shares, 1 - sum(shares)], size=2000)
        held = [
            low <= difference <= high
            for low, high in (interval(int(a), int(b), images) for a, b, _ in drawn)
        ]
        assert np.mean(held) >= 0.93
