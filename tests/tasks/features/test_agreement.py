"""Features agree if they are the same, computed twice; otherwise they do not."""

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tasks.features.agreement import (
    FLOAT16_TOLERANCE,
    RELATIVE_TOLERANCE,
    SMALLEST_COSINE,
    agreement,
    difference_in_words,
)


@pytest.fixture
def features():
    return np.random.default_rng(0).standard_normal((6, 3, 3, 8)).astype(np.float32)


def test_the_tolerance_is_that_of_the_design():
    assert (RELATIVE_TOLERANCE, SMALLEST_COSINE) == (2e-5, 0.99999)


values = st.floats(-1e6, 1e6, width=32)


@given(arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 5)), elements=values))
def test_features_agree_with_themselves(features):
    found = agreement(features, features.copy())
    assert found.within_tolerance
    assert (found.largest_difference, found.smallest_cosine) == (0, 1)
    assert found.rows == len(features)


@pytest.mark.parametrize(("change", "within"), [(1e-5, True), (3e-5, False)])
def test_a_difference_is_in_units_of_the_largest_feature(features, change, within):
    other = features.copy()
    other[2, 1, 1, 4] += change * np.abs(features).max()
    found = agreement(features, other)
    assert found.largest_difference == pytest.approx(change, rel=0.1)
    assert found.within_tolerance is within


def test_rows_in_another_order_do_not_agree(features):
    found = agreement(features, np.roll(features, 1, axis=0))
    assert not found.within_tolerance
    assert found.smallest_cosine < 0.5


def test_a_small_row_in_another_direction_does_not_agree(features):
    features[3] *= 1e-6
    other = features.copy()
    other[3] = -features[3]
    found = agreement(features, other)
    assert found.largest_difference < RELATIVE_TOLERANCE
    assert not found.within_tolerance


def test_zeros_agree_with_zeros_alone(features):
    other = features.copy()
    features[1] = other[1] = 0
    assert agreement(features, other).within_tolerance
    other[1, 0, 0, 0] = 1e-9
    assert not agreement(features, other).within_tolerance
    assert agreement(np.zeros((2, 3)), np.zeros((2, 3))).within_tolerance
    assert not agreement(np.zeros((2, 3)), np.ones((2, 3))).within_tolerance


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_no_number_agrees_with_nothing(features, wrong):
    other = features.copy()
    other[0, 0, 0, 0] = wrong
    with np.errstate(invalid="ignore"):
        assert not agreement(features, other).within_tolerance
        assert not agreement(other, other).within_tolerance


def test_float16_may_be_rounded(features):
    stored = features.astype(np.float16)
    assert agreement(stored, features).within_tolerance
    assert agreement(stored, features).tolerance == FLOAT16_TOLERANCE
    assert not agreement(features, stored).within_tolerance
    assert not agreement(stored, features * np.float32(1.01)).within_tolerance


def test_other_shapes_cannot_be_compared(features):
    for other in (features[:3], features[..., :4], features.reshape(6, -1)):
        with pytest.raises(ValueError, match="shapes"):
            agreement(features, other)
    with pytest.raises(ValueError, match="or none"):
        agreement(features[:0], features[:0])


def test_at_bfloat16_one_value_does_not_decide(features):
    other = features.copy()
    other[2, 1, 1, 4] += 0.5 * np.abs(features).max()
    found = agreement(features, other, precision="bfloat16")
    assert found.largest_difference == pytest.approx(0.5, rel=0.1)
    assert found.within_tolerance
    assert difference_in_words(asdict(found)) == (
        f"mean difference {found.mean_difference:.2g} of a row's norm, expected at most 0.2"
    )


@pytest.mark.parametrize("change", [lambda f: f[..., ::-1], lambda f: 1.25 * f, np.zeros_like])
def test_at_bfloat16_other_features_do_not_agree(features, change):
    assert not agreement(features, change(features), precision="bfloat16").within_tolerance
    assert not agreement(np.zeros_like(features), features, precision="bfloat16").within_tolerance


@pytest.mark.parametrize(("scale", "same"), [(1.09, True), (1.11, False)])
def test_at_int8_rows_may_be_a_tenth_apart_in_the_mean(features, scale, same):
    found = agreement(features, (scale * features).astype(np.float32), precision="int8")
    assert found.within_tolerance == same
    told = difference_in_words(vars(found))
    assert told.startswith("mean difference")
    assert told.endswith("at most 0.1")
