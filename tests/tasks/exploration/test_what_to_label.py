"""Typical images are in the middle of clusters without labels; uncertain ones differ."""

import numpy as np
import pytest

from tasks.exploration.what_to_label import (
    MostUncertain,
    best_method,
    distances,
    typical,
    uncertain,
    uncertainty_of,
)

KINDS = np.eye(6, dtype="f4")[:5] * 3


def blobs(sizes, seed=0):
    """Return vectors around kinds, so many of each, and the kind of each."""
    kinds = np.repeat(np.arange(len(sizes)), sizes)
    noise = np.random.default_rng(seed).normal(size=(len(kinds), 6)).astype("f4")
    return KINDS[kinds] + 0.2 * noise, kinds


def nothing():
    return np.empty((0, 0), "f4")


def test_without_labels_each_kind_is_asked_for_the_largest_first():
    vectors, kinds = blobs([5, 40, 20, 10, 30])
    found = typical(nothing(), vectors, 5)
    assert [kinds[place] for place, _ in found] == [1, 4, 2, 3, 0]
    assert [size for _, size in found] == [40, 30, 20, 10, 5]
    first = vectors[kinds == 1]
    farther = np.linalg.norm(first - first.mean(axis=0), axis=1)
    chosen = np.linalg.norm(vectors[found[0][0]] - first.mean(axis=0))
    assert chosen < np.quantile(farther, 0.8)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_of_few_images_all_are_asked_for(count):
    vectors = KINDS[:count]
    assert sorted(typical(nothing(), vectors, 5)) == [(n, 1) for n in range(count)]


def test_kinds_that_have_labels_come_after_those_without():
    vectors, kinds = blobs([30, 30, 10, 10])
    labelled, of = blobs([1, 1], seed=1)
    assert set(of.tolist()) == {0, 1}
    found = typical(labelled, vectors, 2)
    assert {kinds[place] for place, _ in found} == {2, 3}


@pytest.mark.parametrize("k", [12, 40])
def test_each_image_is_asked_for_once_though_there_are_copies(k):
    vectors = np.repeat(KINDS[:3], 4, axis=0)
    places = [place for place, _ in typical(nothing(), vectors, k)]
    assert sorted(places) == list(range(12))


def test_of_uncertain_images_copies_are_not_asked_for_while_there_are_others():
    vectors, _ = blobs([1, 1, 1, 1])
    vectors = np.concatenate([vectors[:1], vectors])  # the first two are one picture
    unsure = np.array([0.99, 0.98, 0.9, 0.8, 0.1])
    assert uncertain(unsure, nothing(), vectors, 2) == [0, 3]  # among the four most uncertain
    assert set(uncertain(unsure, vectors[2:3], vectors, 2)) == {0, 3}


def test_uncertain_images_are_no_more_than_there_are():
    vectors, _ = blobs([1, 1])
    assert sorted(uncertain(np.ones(2), nothing(), vectors, 9)) == [0, 1]


def test_the_distance_is_that_to_the_nearest_with_a_label_or_before():
    vectors = np.array([[1, 0], [0, 1], [1, 0.0001]], "f4")
    assert distances(nothing(), vectors) == pytest.approx([1, 1, 0], abs=1e-4)
    assert distances(vectors[1:2], vectors) == pytest.approx([1, 0, 0], abs=1e-4)


def test_uncertainty_is_one_where_two_classes_are_as_likely():
    likely = np.array([[0.4, 0.2, 0.4], [0.1, 0.9, 0]])
    assert uncertainty_of(likely) == pytest.approx([1, 0.2])


def test_the_most_uncertain_of_many_blocks_are_kept():
    rng = np.random.default_rng(0)
    unsure = rng.random(100)
    kept = MostUncertain(7)
    for start in range(0, 100, 9):
        at = np.arange(start, min(100, start + 9))
        kept.add(at, unsure[at], at[:, np.newaxis].astype("f4"))
    places, values, vectors = kept.found()
    np.testing.assert_array_equal(places, np.sort(np.argsort(-unsure)[:7]))
    np.testing.assert_array_equal(values, unsure[places])
    np.testing.assert_array_equal(vectors[:, 0], places)


def test_few_labels_a_class_ask_for_typical_images():
    assert best_method(20, 2) == "typical"
    assert best_method(21, 2) == "uncertain"
    assert best_method(0, 0) == "typical"
