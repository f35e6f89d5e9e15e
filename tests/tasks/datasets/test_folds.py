import hashlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores.manifest import Images
from tasks.datasets.folds import fold_numbers, folds_of, stopping_part
from tests.support.entries import images, split
from tests.support.samples import few, some_keys


def listed(keys, labels, groups=None):
    """Return images as `Manifest.select` does; neither paths nor splits decide anything."""
    nothing = pa.nulls(len(keys), pa.string())
    return Images(keys, np.asarray(labels), nothing, nothing, groups)


LABELS = st.lists(st.integers(0, 3), min_size=2, max_size=60)


@few
@given(LABELS, st.integers(2, 7))
def test_folds_are_stratified_to_within_one_image(labels, count):
    labels = np.array(labels)
    numbers = fold_numbers(listed(some_keys(len(labels)), labels), count)
    for chosen in [numbers, *(numbers[labels == n] for n in range(4))]:
        sizes = np.bincount(chosen, minlength=count)
        assert sizes.max() - sizes.min() <= 1


@few
@given(LABELS, st.integers(2, 7), st.randoms())
def test_the_order_of_the_images_does_not_matter(labels, count, random):
    labels = np.array(labels)
    order = list(range(len(labels)))
    random.shuffle(order)
    numbers = fold_numbers(listed(some_keys(len(labels)), labels), count)
    shuffled = fold_numbers(listed(some_keys(len(labels))[order], labels[order]), count)
    np.testing.assert_array_equal(shuffled, numbers[order])


def test_each_image_is_held_out_once_and_the_last_fold_learns_from_all():
    manifest = split([*images(13, "cat"), *images(9, "dog")])
    *folds, last = folds_of(manifest, 4)
    assert len(folds) == 4
    np.testing.assert_array_equal(sum(fold.validation.astype(int) for fold in folds), 1)
    for fold in folds:
        assert (fold.train != fold.validation).all()
    assert last.train.all()
    assert not last.validation.any()
    assert len(last.train) == len(manifest.select("train", "validation").keys)


def test_without_folds_the_splits_are_the_one():
    manifest = split([*images(13, "cat"), *images(9, "dog")])
    (fold,) = folds_of(manifest, 0)
    learned = manifest.select("train", "validation")
    held_out = set(map(bytes, manifest.select("validation").keys))
    assert [bytes(key) in held_out for key in learned.keys] == fold.validation.tolist()
    assert (fold.train != fold.validation).all()


@pytest.mark.parametrize("sizes", [[1, 1], [2, 1], [3, 1], [2, 2, 2], [40, 7, 1], [100, 100]])
def test_a_fifth_of_train_is_set_aside_for_stopping_and_each_class_keeps_an_image(sizes):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    keys, train = some_keys(len(labels)), np.ones(len(labels), bool)
    part = stopping_part(listed(keys, labels), train)
    several = sum(size for size in sizes if size > 1)
    assert part.sum() == max(several // 5, min(1, several))
    assert np.bincount(labels[~part], minlength=len(sizes)).min() >= 1
    each = np.bincount(labels[part], minlength=len(sizes))
    assert all(abs(taken - size / 5) <= 1 for taken, size in zip(each, sizes, strict=True))
    order = np.random.default_rng(0).permutation(len(labels))
    np.testing.assert_array_equal(
        stopping_part(listed(keys[order], labels[order]), train), part[order]
    )


def test_what_is_set_aside_is_of_train_alone():
    labels = np.arange(60) % 3
    train = np.arange(60) < 40
    part = stopping_part(listed(some_keys(60), labels), train)
    assert part.sum() == 8
    assert not (part & ~train).any()


def test_the_seed_deals_the_images_anew_and_its_default_as_ever():
    keys, labels = some_keys(60), np.arange(60) % 2
    numbers = [fold_numbers(listed(keys, labels), 5, seed=seed) for seed in (0, 0, 1, 2)]
    np.testing.assert_array_equal(numbers[0], numbers[1])
    assert (numbers[0] != numbers[2]).any()
    assert (numbers[2] != numbers[3]).any()
    draws = [hashlib.sha256(b"fold:" + bytes(key)).digest() for key in keys]
    order = sorted(range(60), key=lambda n: (labels[n], draws[n]))
    assert [int(numbers[0][n]) for n in order] == [n % 5 for n in range(60)]
