import numpy as np
import pytest

from tasks.survey import MOST_COMPARED, maps, near_duplicates, sample


def features(count=60, width=32, seed=0):
    return np.random.default_rng(seed).normal(size=(count, width)).astype("f4")


def test_almost_the_same_image_in_another_split_is_found():
    rows = features()
    rows[40] = 1.7 * rows[3] + 0.02 * features(1, seed=1)[0]
    (pair,) = near_duplicates(rows, ["train"] * 30 + ["test"] * 30)
    assert (pair.first, pair.second) == (3, 40)
    assert pair.similarity > 0.99


def test_within_a_split_likeness_is_no_leak():
    rows = features()
    rows[4] = rows[3]
    assert near_duplicates(rows, ["train"] * 30 + ["test"] * 30) == []


@pytest.mark.parametrize("rows_at_once", [7, 1024])
def test_pairs_are_told_once_the_most_alike_first(monkeypatch, rows_at_once):
    monkeypatch.setattr("tasks.survey._ROWS_AT_ONCE", rows_at_once)
    rows = features()
    rows[50], rows[51] = rows[1], rows[2] + 0.05 * features(1, seed=2)[0]
    found = near_duplicates(rows, ["train"] * 30 + ["test"] * 30)
    assert [(pair.first, pair.second) for pair in found] == [(1, 50), (2, 51)]


def test_features_of_nothing_are_like_nothing():
    rows = features()
    rows[[3, 40]] = 0
    assert near_duplicates(rows, ["train"] * 30 + ["test"] * 30) == []
    assert near_duplicates(rows[:2], ["train", "test"]) == []


def test_more_images_than_can_be_compared_are_refused():
    with pytest.raises(ValueError, match="at most 20000"):
        near_duplicates(np.zeros((MOST_COMPARED + 1, 1), "f4"), ["train"] * (MOST_COMPARED + 1))


@pytest.mark.parametrize("count", [5, 60])
def test_a_map_lies_within_one_and_keeps_groups_apart(count):
    rows = features(count)
    rows[: count // 2] += 8
    for points in maps(rows).values():
        assert points.shape == (count, 2)
        assert points.min() == 0
        assert points.max() == 1
    first = maps(rows)["PCA"][:, 0]
    gap = abs(first[: count // 2].mean() - first[count // 2 :].mean())
    assert gap > 0.5


def test_one_image_has_no_map():
    assert maps(features(1)) == {}


def test_a_sample_has_of_each_class_its_share():
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    chosen = sample(labels, 100)
    assert np.bincount(labels[chosen]).tolist() == pytest.approx([60, 30, 10], abs=1)
    assert (np.diff(chosen) > 0).all()
    np.testing.assert_array_equal(sample(labels[:20], 100), np.arange(20))
