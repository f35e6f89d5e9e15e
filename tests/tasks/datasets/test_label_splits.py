"""Several labels of an image, or a number: each split has its share of them, by content alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores.manifest import Images
from stores.targets import labels_text, number_text
from tasks.datasets.folds import fold_numbers, stopping_part
from tasks.datasets.label_splits import deal
from tests.support.entries import entries_of, entry, split, splits_of
from tests.support.samples import few, some_keys

SHARES = np.array([0.64, 0.16, 0.2])
NAMES = ("blue", "red", "square")


def drawn(count, rates, seed=0):
    return (np.random.default_rng(seed).random((count, len(rates))) < rates).astype(np.int64)


def away(labels, parts, shares):
    """Return by how many images each label, and all images, are away from their shares."""
    named = np.column_stack([labels, np.ones(len(labels))])
    had = np.stack([named[parts == part].sum(axis=0) for part in range(len(shares))])
    return np.abs(had - np.outer(shares, named.sum(axis=0))).max()


def several(count, start=0, groups=None):
    """Return rows of images with labels: a rare one, a frequent one, and one between."""
    labels = drawn(start + count, [0.05, 0.7, 0.3])[start:]
    return [
        entry(
            f"{n:05}",
            label=labels_text(np.array(NAMES)[own.astype(bool)], "|"),
            group=groups and f"{n // groups}",
        )
        for n, own in enumerate(labels, start)
    ]


def split_labels(entries, previous=None):
    rule = {"classes": NAMES, "target": "labels", "label_separator": "|"}
    return split(entries, previous, **rule)


@few
@given(
    st.lists(st.floats(0.01, 0.9), min_size=1, max_size=6), st.integers(1, 200), st.integers(0, 9)
)
def test_each_label_has_its_share_and_train_has_all(rates, count, seed):
    labels = drawn(count, rates, seed)
    parts = deal(labels, np.arange(count), SHARES, first=0)
    assert away(labels, parts, SHARES) <= 4
    assert (labels[parts == 0].any(axis=0) == labels.any(axis=0)).all()
    folds = deal(labels, np.arange(count), [0.25] * 4)
    assert away(labels, folds, [0.25] * 4) <= 4


@pytest.mark.parametrize("rate", [0.001, 0.003])
def test_many_rare_labels_are_not_all_rounded_the_same_way(rate):
    labels = drawn(2000, [rate] * 300)
    parts = deal(labels, np.arange(2000), SHARES, first=0)
    for part, share in enumerate(SHARES):
        assert labels[parts == part].sum() == pytest.approx(share * labels.sum(), rel=0.15)
    assert (labels[parts == 0].any(axis=0) == labels.any(axis=0)).all()


@few
@given(st.integers(1, 40), st.integers(0, 40), st.sampled_from([None, 1, 3]), st.randoms())
def test_neither_order_nor_names_matter_and_no_image_moves(first, more, groups, random):
    before = split_labels(several(first, groups=groups))
    entries = several(first + more, groups=groups)
    after = split_labels(entries, before)
    if groups is None:
        assert splits_of(after).items() >= splits_of(before).items()
    for group in {e.group for e in entries_of(after) if e.group and e.status == "accepted"}:
        members = {e.split for e in entries_of(after) if e.group == group}
        assert len(members) == 1
    random.shuffle(entries)
    again = {e.key: e.split for e in entries_of(split_labels(entries, before))}
    assert again == {e.key: e.split for e in entries_of(after)}


def test_labels_that_come_later_fill_the_shares():
    manifest = None
    for count in (7, 60, 61, 200):
        manifest = split_labels(several(count), manifest)
    images = manifest.select()
    parts = np.array([["train", "validation", "test"].index(s.as_py()) for s in images.splits])
    assert away(images.labels, parts, SHARES) <= 4


def listed(labels, groups=None):
    return Images(some_keys(len(labels)), labels, None, None, groups)


@pytest.mark.parametrize("grouped", [False, True])
def test_folds_and_what_is_set_aside_have_their_shares(grouped):
    labels = drawn(300, [0.1, 0.6, 0.3])
    groups = np.arange(300) // 3 if grouped else None
    numbers = fold_numbers(listed(labels, groups), 5)
    assert away(labels, numbers, [0.2] * 5) <= (8 if grouped else 2)
    train = np.arange(300) < 240
    part = stopping_part(listed(labels, groups), train)
    assert not part[~train].any()
    assert away(labels[train], part[train].astype(int), [0.8, 0.2]) <= (8 if grouped else 2)
    if grouped:
        assert all(len(set(some)) == 1 for some in (*numbers.reshape(-1, 3), *part.reshape(-1, 3)))


def test_means_of_numbers_are_near_to_one_another_in_splits_and_folds():
    values = np.random.default_rng(0).lognormal(size=500)
    entries = [entry(f"{n:05}", label=number_text(value)) for n, value in enumerate(values)]
    manifest = split(entries, classes=("age",), target="number")
    assert list(manifest.split_sizes().values()) == [320, 80, 100]
    spread = values.std() / np.sqrt(100)
    for name in ("train", "validation", "test"):
        assert abs(manifest.select(name).labels.mean() - values.mean()) < spread
    images = manifest.select("train", "validation")
    numbers = fold_numbers(images, 5)
    assert np.bincount(numbers).tolist() == [80] * 5
    means = [images.labels[numbers == n].mean() for n in range(5)]
    assert np.ptp(means) < 2 * spread
    part = stopping_part(images, np.ones(400, bool))
    assert part.sum() == 80
    assert abs(images.labels[part].mean() - images.labels.mean()) < spread
    same = split([entry(f"{n}", label="1.0") for n in range(30)], classes=("age",), target="number")
    assert list(same.split_sizes().values()) == [19, 5, 6]
