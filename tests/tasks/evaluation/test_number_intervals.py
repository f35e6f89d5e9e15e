import numpy as np
import pytest

from tasks.errors import InputError
from tasks.evaluation.number_intervals import interval_coverage, interval_rule, residuals_of


def test_half_the_width_is_the_residual_at_the_place_that_new_images_do_not_exceed():
    found = residuals_of(np.arange(20.0)[:, np.newaxis], np.zeros((20, 1)))
    rule = interval_rule(found, 0.9)
    assert rule.half_width == 18  # ⌈21 · 0.9⌉ = 19th of 0, 1, …, 19
    assert [end.tolist() for end in rule.intervals(np.array([1.5]))] == [[-16.5], [19.5]]
    assert (rule.images, rule.by) == (20, None)


def test_intervals_hold_the_true_number_as_often_as_they_say():
    rng, shares = np.random.default_rng(0), []
    for _ in range(200):
        predicted, true = rng.normal(size=80), rng.exponential(size=80)  # a wrong head
        rule = interval_rule(residuals_of(predicted[:40], true[:40]), 0.8)
        found = interval_coverage(rule, predicted[40:], true[40:])
        assert found.mean_width == pytest.approx(2 * rule.half_width)
        assert found.low < found.share < found.high or found.share == 1
        shares.append(found.share)
    assert np.mean(shares) == pytest.approx(33 / 41, abs=0.02)  # 33: ⌈41 · 0.8⌉


def test_each_group_counts_the_same_and_the_share_is_less_certain():
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(30), np.where(np.arange(30) < 3, 100, 5))
    hard = np.where(groups < 3, 1.0, 10.0)  # three groups are easy, and have most of the images
    predicted, true = np.zeros(len(groups)), hard * rng.uniform(size=len(groups))
    alone = interval_rule(residuals_of(predicted, true), 0.8)
    rule = interval_rule(residuals_of(predicted, true, groups), 0.8)
    assert rule.by == "group"
    assert rule.half_width > alone.half_width
    one, other = (interval_coverage(rule, predicted, true, g) for g in (None, groups))
    assert one.share == other.share
    assert other.high - other.low > one.high - one.low
    assert interval_coverage(rule, predicted[:0], true[:0]) is None


@pytest.mark.parametrize(
    ("coverage", "by", "message"),
    [
        (0.9, None, r"needs 9 held-out images, found 8; give at most --coverage 0\.888, or train"),
        (1.0, None, "expected a share between 0 and 1"),
        (0.5, "class", "predicts a number, and there are no classes; give"),
        (0.5, "group", "have no groups; ingest with --group"),
    ],
)
def test_a_coverage_that_there_cannot_be_is_one_line(coverage, by, message):
    with pytest.raises(InputError, match=message):
        interval_rule(residuals_of(np.zeros(8), np.ones(8)), coverage, by=by)
