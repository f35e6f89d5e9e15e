"""Novelty: images like those of the training are rarely called new, and others are."""

import numpy as np
import pytest

from stores.features.store import FeatureStore
from tasks.features.vectors import averaged
from tasks.inference.novelty import Learned, reference_of
from tests.support.samples import RECIPE

RNG = np.random.default_rng(0)


def rows_of(kind, count):
    """Return features around a direction of their kind."""
    centre = np.eye(8, dtype="f4")[kind] * 3
    return centre + RNG.normal(size=(count, 8)).astype("f4")


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    store = FeatureStore(tmp_path_factory.mktemp("store"), RECIPE)
    keys = RNG.integers(0, 256, (400, 32), "u1")
    store.write(keys, rows_of(0, 400))
    return store, keys


def learned(keys, *, folded=False, groups=None):
    training = np.arange(len(keys)) < (len(keys) if folded else 200)
    return Learned(keys, training, training if folded else ~training, groups)


@pytest.mark.parametrize("folded", [False, True])
def test_p_values_are_even_for_images_like_those_held_out_and_least_for_others(stored, folded):
    reference = reference_of(stored[0], learned(stored[1], folded=folded))
    like = np.array([one.p_value for one in reference.novelty(rows_of(0, 2000))])
    for level in (0.05, 0.2, 0.5):
        assert abs((like <= level).mean() - level) < 0.1
    other = [one.p_value for one in reference.novelty(rows_of(1, 50))]
    assert np.median(other) == reference.least == 1 / (401 if folded else 201)


@pytest.mark.parametrize("folded", [False, True])
def test_a_training_image_is_compared_with_the_others_and_those_held_out_as_they_were(
    stored, folded
):
    store, keys = stored
    reference = reference_of(store, learned(keys, folded=folded))
    found = reference.p_values(averaged(store.read(keys)), keys)
    held_out = found[200:] if not folded else found
    even = np.arange(2, len(held_out) + 2) / (len(held_out) + 1)
    np.testing.assert_allclose(np.sort(held_out), even, atol=2 / len(held_out))
    assert abs((found[:200] <= 0.2).mean() - 0.2) < 0.1  # and none of them is its own neighbour


def test_the_nearest_training_images_are_named_the_most_alike_first(stored):
    store, keys = stored
    (one,) = reference_of(store, learned(keys)).novelty(store.read(keys[7:8]))
    assert one.nearest[0].key == keys[7].tobytes()
    assert one.nearest[0].similarity == pytest.approx(1)
    alike = [each.similarity for each in one.nearest]
    assert alike == sorted(alike, reverse=True)
    training = set(map(bytes, keys[:200]))
    assert {each.key for each in one.nearest} <= training  # none of those held out


def test_with_folds_an_image_is_not_compared_with_its_own_group(stored):
    """Of bursts, five images each, every image has its siblings beside it."""
    store = FeatureStore(stored[0].place.path.parent / "bursts", RECIPE)
    keys = RNG.integers(0, 256, (300, 32), "u1")
    bursts = np.arange(300) // 5
    store.write(keys, rows_of(0, 60)[bursts] + 0.01 * rows_of(0, 300))
    new = rows_of(0, 500)
    alone = reference_of(store, learned(keys, folded=True)).novelty(new)
    grouped = reference_of(store, learned(keys, folded=True, groups=bursts)).novelty(new)
    assert np.mean([one.p_value <= 0.05 for one in alone]) > 0.5
    assert np.mean([one.p_value <= 0.05 for one in grouped]) < 0.15


def test_of_many_images_some_are_drawn_and_p_values_stay_even(stored, monkeypatch):
    monkeypatch.setattr("tasks.inference.novelty.MOST_TRAINING", 50)
    monkeypatch.setattr("tasks.inference.novelty.MOST_HELD_OUT", 120)
    reference = reference_of(stored[0], learned(stored[1]))
    assert reference.least == 1 / 121
    assert len(reference.training) == 50
    like = [one.p_value for one in reference.novelty(rows_of(0, 2000))]
    assert abs(np.mean(np.array(like) <= 0.2) - 0.2) < 0.1


def test_features_that_are_gone_are_a_reason_and_not_an_error(stored):
    others = RNG.integers(0, 256, (400, 32), "u1")
    assert "are not in the store" in reference_of(stored[0], learned(others))


def test_a_folder_has_changed_where_more_is_new_than_chance_explains(stored):
    reference = reference_of(stored[0], learned(stored[1]))
    like = [one.p_value for one in reference.novelty(rows_of(0, 300))]
    other = [one.p_value for one in reference.novelty(rows_of(1, 30))]
    assert not reference.shift(like).changed
    shift = reference.shift([*like, *other])
    assert shift.changed
    assert shift.unlike >= 30
    assert not reference.shift(other[:1]).changed  # one image says nothing


def test_a_level_that_too_few_held_out_images_allow_is_told_with_the_number(stored):
    reference = reference_of(stored[0], learned(stored[1]))
    assert reference.too_few(0.01) == ""
    assert reference.too_few(1 / 201) == ""
    assert reference.too_few(0.001) == "needs 999 held-out images, the run has 200"
