"""Figures of draws are scikit-learn's of the images as often as each was drawn."""

import numpy as np
import pytest
from sklearn import metrics

from stores.keys import as_keys
from tasks.evaluation.bootstrap import Measured, measured, not_certain, weights_of
from tasks.evaluation.figure_difference import figure_difference
from tasks.evaluation.figure_estimates import figure_estimates_by_rank
from tasks.evaluation.held_out_scores import Scored, independent_answers
from tasks.evaluation.weighted_figures import (
    WeightedPrecision,
    weighted_macro_f1,
    weighted_mean,
    weighted_r2,
)

rng = np.random.default_rng(0)
TRUTH = (rng.random((50, 3)) < [0.6, 0.3, 0.1]).astype(np.float64)
SCORES = (0.4 * TRUTH + rng.random((50, 3))).round(1)  # many are equal
WEIGHTS = np.concatenate([np.ones((1, 50)), *weights_of(50, None, draws=20)])


def drawn(values, weights):
    return np.repeat(values, weights.astype(int), axis=0)


def test_the_figures_of_draws_are_those_of_sklearn():
    number, said = rng.normal(size=(2, 50))
    precision = WeightedPrecision(SCORES, TRUTH)(WEIGHTS)
    f1 = weighted_macro_f1(SCORES >= 0.5, TRUTH, WEIGHTS)
    r2 = weighted_r2(said, number, WEIGHTS)
    for n, weights in enumerate(WEIGHTS):
        truth, scores = drawn(TRUTH, weights), drawn(SCORES, weights)
        some = truth.any(axis=0)
        expected = metrics.average_precision_score(truth[:, some], scores[:, some])
        assert precision[n] == pytest.approx(expected)
        args = truth[:, some], scores[:, some] >= 0.5
        assert f1[n] == pytest.approx(metrics.f1_score(*args, average="macro"))
        assert r2[n] == pytest.approx(
            metrics.r2_score(drawn(number, weights), drawn(said, weights))
        )


def test_images_of_one_group_are_drawn_together_and_widen_the_interval():
    groups = np.repeat(np.arange(10), 5)
    (weights,) = weights_of(50, groups, draws=30)
    assert (weights.reshape(30, 10, 5) == weights.reshape(30, 10, 5)[:, :, :1]).all()
    values = groups + rng.normal(size=50) / 10
    alone, together = (
        measured(values.mean(), lambda weights: weighted_mean(values, weights), 50, some)
        for some in (None, groups)
    )
    assert together.high - together.low > 1.5 * (alone.high - alone.low)
    assert measured(1.0, lambda weights: weights[:, 0], 1, None) == Measured(1.0, None, None)


def scored(values, truth=None):
    truth = np.zeros((len(values), 1)) if truth is None else truth
    keys = as_keys(bytes([n]) * 32 for n in range(len(values)))
    return Scored("validation", keys, truth, values)


def test_the_luck_of_the_best_of_many_is_taken_off():
    """The kind: of heads that are all as good, the best one's figure is what to expect of it."""
    expected, best = [], []
    for seed in range(8):
        draw = np.random.default_rng(seed)
        heads = [scored(draw.normal(size=(40, 1))) for _ in range(20)]
        expected.append(figure_estimates_by_rank(heads, "number")[0])
        best.append(min(np.abs(one.scores).mean() for one in heads))
    true = np.sqrt(2 / np.pi)
    assert np.mean(best) < true - 0.1
    assert np.mean([one.value for one in expected]) == pytest.approx(true, abs=0.05)
    assert all(one.low < true < one.high for one in expected)
    (alone,) = figure_estimates_by_rank(heads[:1], "number")
    assert alone.value == pytest.approx(np.abs(heads[0].scores).mean())
    lucky = [scored(rng.random((40, 3)), TRUTH[:40]) for _ in range(20)]
    found = [metrics.average_precision_score(one.truth, one.scores) for one in lucky]
    chance = figure_estimates_by_rank(lucky, "labels")[0].value
    assert chance == pytest.approx(np.mean(found), abs=0.05)
    assert chance < max(found) - 0.03


def test_what_is_all_right_is_not_certain():
    images = scored(TRUTH, TRUTH)
    (found,) = figure_estimates_by_rank([images], "labels")
    assert (found.value, found.high) == (1.0, 1.0)
    assert 0.5 < found.low < 0.95
    counts = TRUTH.sum(axis=0)
    assert independent_answers(images) == pytest.approx(9 / (1 / counts).sum())
    assert not_certain(Measured(0.9, 0.8, 1.0), 10) == Measured(0.9, 0.8, 1.0)


def test_a_difference_agrees_with_the_paired_test_of_means():
    from scipy.stats import ttest_rel

    first, second = (scored(rng.exponential(scale, (60, 1))) for scale in (1.0, 1.3))
    found = figure_difference(first, second, "number", comparisons=3)
    expected = ttest_rel(np.abs(second.scores), np.abs(first.scores))
    assert found.difference == pytest.approx((second.scores - first.scores).mean())
    assert found.p_value == pytest.approx(expected.pvalue[0], abs=0.02)
    assert found.corrected_low < found.low < found.difference < found.high < found.corrected_high
    assert found.corrected_p_value == min(1.0, 3 * found.p_value)
