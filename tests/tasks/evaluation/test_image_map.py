import numpy as np
import pytest

from tasks.evaluation.image_map import maps, sample


def features(count=60, width=32, seed=0):
    return np.random.default_rng(seed).normal(size=(count, width)).astype("f4")


@pytest.mark.parametrize("count", [5, 60])
def test_a_map_lies_within_one_and_keeps_groups_apart(count):
    rows = features(count)
    rows[: count // 2] += 8
    found = maps(rows)
    for points in found.values():
        assert points.shape == (count, 2)
        assert points.min() == 0
        assert points.max() == 1
    first = found["PCA"][:, 0]
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
