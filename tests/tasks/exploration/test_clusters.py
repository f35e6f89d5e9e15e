import numpy as np
import pytest

from tasks.errors import InputError
from tasks.exploration import clusters as module
from tasks.exploration.clusters import find_clusters, purity, rand_index

SIZES = (50, 30, 20)


def kinds():
    """Return vectors around three directions, and which each is of."""
    of = np.repeat(np.arange(3), SIZES)
    noise = np.random.default_rng(0).normal(size=(100, 8)).astype("f4")
    rows = np.eye(8, dtype="f4")[of] * 4 + 0.3 * noise
    return rows * np.linspace(0.5, 5, 100, dtype="f4")[:, np.newaxis], of  # of any length


def in_blocks(rows):
    for start in range(0, len(rows), 7):
        yield np.arange(start, min(len(rows), start + 7)), rows[start : start + 7]


@pytest.mark.parametrize("k", [3, None])
def test_kinds_are_found_the_largest_first(k):
    rows, of = kinds()
    found = find_clusters(rows, in_blocks(rows), k)
    np.testing.assert_array_equal(found.number, of)
    np.testing.assert_array_equal(found.places, np.arange(100))
    assert found.sizes == list(SIZES)
    assert (max(found.tried, key=found.tried.get, default=3), bool(found.tried)) == (3, k is None)
    assert purity(found.number, of) == rand_index(found.number, of) == 1


def test_the_most_central_images_are_the_most_alike_and_not_one_that_is_like_none():
    rows, of = kinds()
    rows[10] = rows.mean(axis=0) + 0.01
    found = find_clusters(rows, in_blocks(rows), 3)
    central = found.central(0, 5)
    assert (of[central] == 0).all()
    assert np.all(np.diff(found.distance[central]) >= 0)
    assert 10 not in found.central(int(found.number[10]), 15)


def test_of_many_images_clusters_are_found_from_some(monkeypatch):
    monkeypatch.setattr(module, "_MANY", 40)
    rows, of = kinds()
    found = find_clusters(rows[::2], in_blocks(rows), 3)
    np.testing.assert_array_equal(found.number, of)


@pytest.mark.parametrize(("k", "match"), [(3, "at least 3 different images, found 2"), (None, "")])
def test_fewer_different_images_than_clusters_are_a_mistake(k, match):
    rows = np.repeat(np.eye(2, dtype="f4")[: 2 if k else 1], 5, axis=0)
    with pytest.raises(InputError, match=match or "-k auto: expected at least 2"):
        find_clusters(rows, in_blocks(rows), k)


def test_two_images_are_two_clusters():
    rows = np.eye(2, dtype="f4")
    assert find_clusters(rows, in_blocks(rows), None).sizes == [1, 1]


def test_purity_counts_the_most_common_class_of_each_cluster():
    assert purity(np.array([0, 0, 0, 1]), np.array([1, 1, 0, 0])) == 0.75
