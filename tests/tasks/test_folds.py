import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.folds import fold_numbers, folds_of
from tests.stores.samples import few, some_keys
from tests.tasks.entries import images, split

LABELS = st.lists(st.integers(0, 3), min_size=2, max_size=60)


@few
@given(LABELS, st.integers(2, 7))
def test_folds_are_stratified_to_within_one_image(labels, count):
    labels = np.array(labels)
    numbers = fold_numbers(some_keys(len(labels)), labels, count)
    for chosen in [numbers, *(numbers[labels == n] for n in range(4))]:
        sizes = np.bincount(chosen, minlength=count)
        assert sizes.max() - sizes.min() <= 1


@few
@given(LABELS, st.integers(2, 7), st.randoms())
def test_the_order_of_the_images_does_not_matter(labels, count, random):
    labels = np.array(labels)
    order = list(range(len(labels)))
    random.shuffle(order)
    numbers = fold_numbers(some_keys(len(labels)), labels, count)
    shuffled = fold_numbers(some_keys(len(labels))[order], labels[order], count)
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
