import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.evaluation.group_effect import group_effect

ANIMALS = np.repeat(np.arange(40), 5)


def test_without_groups_an_image_is_an_image():
    right = np.arange(9) < 5
    assert group_effect(right, None) == group_effect(right, np.arange(9)[::-1]) == 1.0
    assert group_effect(np.empty(0, np.bool_), np.empty(0, np.int64)) == 1.0


def test_copies_of_an_image_are_worth_one():
    right = np.random.default_rng(0).random(40) < 0.7
    assert group_effect(np.repeat(right, 5), ANIMALS) == pytest.approx(5 * 40 / 39)


def test_groups_of_unlike_images_change_little():
    rng = np.random.default_rng(0)
    effects = [group_effect(rng.random(200) < 0.7, ANIMALS) for _ in range(50)]
    assert 1.0 <= np.mean(effects) < 1.2


@pytest.mark.parametrize("right", [True, False])
def test_where_all_are_right_or_none_the_images_of_a_group_count_as_copies(right):
    assert group_effect(np.full(200, right), ANIMALS) == 5
    assert group_effect(np.array([True, False]), np.array([7, 7])) == 2


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=40))
def test_groups_never_add_images_nor_leave_less_than_one(images):
    right, groups = map(np.array, zip(*images, strict=True))
    effect = group_effect(right, groups)
    assert effect >= 1.0
    assert group_effect(right[::-1], 3 - groups[::-1]) == pytest.approx(effect)
