"""Splits that do not leak: near their quotas, decided by content, and sticky."""

import logging
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stores.keys import ImageKey
from tasks.datasets.splits import SplitRule, majority_baseline
from tests.support.entries import assign, counts_of, entries_of, entry, images, split, splits_of

few = settings(max_examples=60)
shares = st.floats(0, 0.99)


def quotas(count):
    """Return what the default shares are of one class, as train, validation, test."""
    test = int(count * 0.2 + 0.5)
    validation = int((count - test) * 0.2 + 0.5)
    return count - test - validation, validation, test


def labelled(sizes):
    return {
        ImageKey.of(f"{label}/{n}".encode()): str(label)
        for label, size in enumerate(sizes)
        for n in range(size)
    }


def check_shares(labels, splits, test, validation):
    """Each class, and all of them, have their shares of a split to within an image."""
    sizes, tested = Counter(labels.values()), Counter()
    validated, left = Counter(), Counter()
    for key, label in labels.items():
        tested[label] += splits[key] == "test"
        left[label] += splits[key] != "test"
        validated[label] += splits[key] == "validation"
    for count, size, share in ((tested, sizes, test), (validated, left, validation)):
        assert all(abs(count[label] - share * size[label]) <= 1 + 1e-9 for label in sizes)
        # A class of which one image is to stay for training can give no more than the others.
        able = sum(min(size[label] - 1, int(share * size[label] + 1)) for label in sizes)
        total = min(share * size.total(), able)
        assert total - 1 - 1e-9 <= count.total() <= share * size.total() + 1 + 1e-9
    assert set(sizes) == {labels[key] for key, name in splits.items() if name == "train"}


@few
@given(st.lists(st.integers(1, 12) | st.integers(1, 80), min_size=1, max_size=60), shares, shares)
def test_each_class_and_all_together_have_their_shares(sizes, test, validation):
    labels = labelled(sizes)
    splits = assign(labels, {}, seed=0, test_split=test, validation_split=validation)
    check_shares(labels, splits, test, validation)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 13])
def test_many_small_classes_are_not_all_rounded_the_same_way(size):
    labels = labelled([size] * 1000)
    splits = assign(labels, {}, seed=0, test_split=0.2, validation_split=0.2)
    found = Counter(splits.values())
    expected = (0, 0) if size == 1 else (200 * size, 160 * size)
    assert (found["test"], found["validation"]) == expected
    check_shares(labels, splits, 0.2 if size > 1 else 0, 0.2 if size > 1 else 0)


@few
@given(st.permutations(range(30)), st.randoms())
def test_neither_a_class_s_name_nor_the_order_decides_which_class_gives_one_more(order, random):
    labels = labelled([3] * 30)
    splits = assign(labels, {}, seed=0, test_split=0.2, validation_split=0.2)
    renamed = [(key, str(order[int(label)])) for key, label in labels.items()]
    random.shuffle(renamed)
    assert assign(dict(renamed), {}, seed=0, test_split=0.2, validation_split=0.2) == splits


@few
@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=40), min_size=2, max_size=5))
def test_additions_to_many_classes_move_no_image_and_keep_each_class_s_share(steps):
    sizes, splits = Counter(), {}
    for step in steps:
        sizes.update(step)
        labels = labelled([sizes[label] for label in range(10)])
        before, splits = (
            splits,
            assign(labels, splits, seed=0, test_split=0.2, validation_split=0.2),
        )
        assert splits.items() >= before.items()
        tested = Counter(labels[key] for key, name in splits.items() if name == "test")
        assert all(abs(tested[str(label)] - 0.2 * sizes[label]) <= 1 for label in sizes)


def test_where_rounding_class_by_class_has_the_shares_it_stands():
    """As it was before remainders were dealt: a data set of this kind is split as ever."""
    for sizes in ([178, 182, 177, 183, 181, 182, 181, 179, 174, 180], [101, 57], [3, 3, 4]):
        labels = labelled(sizes)
        splits = assign(labels, {}, seed=0, test_split=0.2, validation_split=0.2)
        for label, size in enumerate(sizes):
            found = Counter(splits[key] for key in labels if labels[key] == str(label))
            assert (found["train"], found["validation"], found["test"]) == quotas(size)


def test_the_shares_are_those_asked_for():
    assert counts_of(split(images(100))) == (64, 16, 20)
    assert counts_of(split(images(100), test_split=0.5, validation_split=0.1)) == (45, 5, 50)
    assert counts_of(split(images(3))) == (2, 0, 1)
    assert counts_of(split(images(1))) == (1, 0, 0)


@few
@given(st.permutations(range(20)))
def test_neither_names_nor_order_matter(order):
    first = split(images(20))
    by_key = {e.key: e.split for e in entries_of(first)}
    renamed = [replace(e, path=f"cat/{order[n]}") for n, e in enumerate(images(20))]
    again = split([renamed[n] for n in order])
    assert {e.key: e.split for e in entries_of(again)} == by_key


def test_another_seed_is_another_split():
    drawn = [splits_of(split(images(50), split_seed=seed)) for seed in range(5)]
    assert len({tuple(splits.values()) for splits in drawn}) == 5
    assert splits_of(split(images(50), split_seed=3)) == drawn[3]


@few
@given(st.lists(st.integers(1, 120), min_size=2, max_size=6))
def test_adding_images_moves_no_old_one(steps):
    manifest, there = None, 0
    for step in steps:
        before = splits_of(manifest) if manifest else {}
        manifest = split(images(there := there + step), manifest)
        assert splits_of(manifest).items() >= before.items()


@few
@given(st.lists(st.integers(1, 60), min_size=1, max_size=8))
def test_additions_fill_the_quotas(steps):
    manifest, there = None, 0
    for step in steps:
        manifest = split(images(there := there + step), manifest)
    wanted = quotas(there)
    assert counts_of(manifest) == wanted


def test_adding_images_one_at_a_time_moves_none_and_keeps_the_quotas():
    manifest, before = None, {}
    for count in range(1, 200):
        manifest = split(images(count), manifest)
        wanted = quotas(count)
        splits = splits_of(manifest)
        assert splits.items() >= before.items()
        assert counts_of(manifest) == wanted
        before = splits


changes = st.lists(
    st.tuples(
        st.sampled_from(["add", "edit", "delete", "bring back", "rename", "copy", "relabel"]),
        st.integers(0, 10**6),
    ),
    max_size=15,
)


@settings(max_examples=150)
@given(changes)
def test_whatever_happens_to_a_folder_no_image_changes_its_split(steps):
    """Each image keeps its split for good, and an edited one that of its path."""
    files, removed = {f"cat/{n}": f"content {n}" for n in range(12)}, []
    manifest = split([entry(path, content) for path, content in sorted(files.items())])
    once = {e.key: e.split for e in entries_of(manifest)}
    for number, (what, chosen) in enumerate(steps):
        path = sorted(files)[chosen % len(files)] if files else "cat/first"
        edited = what == "edit" and path in files
        if what == "add" or edited:
            files[f"cat/new {number}" if what == "add" else path] = f"changed {number}"
        elif what == "bring back" and removed:
            files[f"cat/back {number}"] = removed[chosen % len(removed)]
        elif what in {"delete", "rename", "copy", "relabel"} and path in files:
            content = files[path] if what == "copy" else files.pop(path)
            if what == "delete":
                removed.append(content)
            else:
                files[f"{'dog' if what == 'relabel' else 'cat'}/{what} {number}"] = content
        before = splits_of(manifest)
        manifest = split([entry(p, c) for p, c in sorted(files.items())], manifest)
        now = {e.key: e.split for e in entries_of(manifest)}
        assert all(now[key] == name for key, name in once.items())
        assert len({(e.key, e.split) for e in entries_of(manifest)}) == len(now)
        if edited:
            assert splits_of(manifest)[path] == before[path]
        once |= now


def test_duplicates_share_a_split_and_count_once():
    twins = [entry(f"cat/copy of {number}", f"cat/{number:05}") for number in range(100)]
    manifest = split([*images(100), *twins])
    assert counts_of(manifest) == (64, 16, 20)
    assert len({(e.key, e.split) for e in entries_of(manifest)}) == 100


def test_an_edited_image_stays_where_it_was():
    before = split(images(30))
    edited = [replace(e, key=ImageKey.of(b"edited " + e.key)) for e in images(30)]
    assert splits_of(split(edited, before)) == splits_of(before)
    assert splits_of(split(edited)) != splits_of(before)


def test_images_that_change_places_keep_their_splits():
    before = split(images(30))
    swapped = [replace(e, path=f"cat/{29 - n:05}") for n, e in enumerate(images(30))]
    after = split(swapped, before)
    assert {e.key: e.split for e in entries_of(after)} == {
        e.key: e.split for e in entries_of(before)
    }


def test_another_image_under_the_name_of_one_that_went_is_a_new_image():
    everything = split(images(50))
    without = split(images(10), everything)
    others = [replace(e, key=ImageKey.of(b"other " + e.key)) for e in images(40, start=10)]
    splits = splits_of(split([*images(10), *others], without))
    assert splits.items() >= splits_of(without).items()
    assert splits != splits_of(everything)


def test_new_images_are_first_held_out_for_testing():
    labels = {e.key: "cat" for e in images(10)}
    remembered = dict.fromkeys(list(labels)[:9], "train")
    new = list(labels)[9]
    assert assign(labels, remembered, seed=0, test_split=0.2, validation_split=0.2)[new] == "test"


def test_what_is_gone_is_marked_absent_and_comes_back_to_its_split():
    everything = split(images(30))
    without = split(images(10), everything)
    absent = [e for e in entries_of(without) if e.status == "absent"]
    assert {e.path for e in absent} == {e.path for e in images(30)[10:]}
    assert sum(counts_of(without)) == 10
    back = [replace(e, path=f"cat/back as {e.path[4:]}") for e in images(30)]
    splits = {e.key: e.split for e in entries_of(split(back, without))}
    assert splits == {e.key: e.split for e in entries_of(everything)}


def test_what_is_gone_is_remembered_once_however_often_it_goes():
    manifest = split(images(5))
    for _ in range(3):
        manifest = split([], split(images(5), split([], manifest)))
    assert [e.status for e in entries_of(manifest)] == ["absent"] * 5


def test_another_rule_draws_the_splits_anew_and_says_so(caplog):
    before = split(images(50))
    with caplog.at_level(logging.WARNING, logger="gargalo"):
        again = split(images(50), before, split_seed=1)
    assert splits_of(again) == splits_of(split(images(50), split_seed=1))
    assert splits_of(again) != splits_of(before)
    assert "split again" in caplog.text


def test_the_same_rule_draws_nothing_anew(caplog):
    before = split(images(50))
    assert splits_of(split(images(50), before)) == splits_of(before)
    assert caplog.text == ""


def given_splits(train, validation, test=0):
    names = ["train"] * train + ["validation"] * validation + ["test"] * test
    return [replace(e, split=name) for e, name in zip(images(len(names)), names, strict=True)]


def test_with_a_test_folder_the_given_splits_stand():
    manifest = split(given_splits(50, 30, 3))
    assert counts_of(manifest) == (50, 30, 3)
    assert list(splits_of(manifest).values()) == [e.split for e in given_splits(50, 30, 3)]


def test_without_a_test_folder_a_fifth_of_validation_becomes_test():
    manifest = split(given_splits(50, 30))
    assert counts_of(manifest) == (50, 24, 6)
    assert {e.split for e in entries_of(manifest)[:50]} == {"train"}


def test_the_part_of_validation_that_became_test_stays_so():
    before = split(given_splits(50, 30))
    more = [*given_splits(50, 30), *[replace(e, split="validation") for e in images(40, start=80)]]
    after = split(more, before)
    assert splits_of(after).items() >= splits_of(before).items()
    assert counts_of(after) == (50, 56, 14)


def test_an_image_follows_the_folder_that_says_its_split():
    before = split(given_splits(50, 30))
    moved = [replace(e, split="train") for e in given_splits(50, 30)]
    assert counts_of(split([*moved[:79], given_splits(50, 30)[79]], before))[0] == 79


def test_what_is_not_accepted_has_no_quota():
    rejected = [replace(e, status="rejected") for e in images(50, start=50)]
    manifest = split([*images(50), *rejected, entry("cat/closed", key=None, status="rejected")])
    assert counts_of(manifest) == counts_of(split(images(50)))


def test_the_majority_is_the_largest_class_of_train_and_right_on_its_share_of_test():
    counts = {
        "cat": {"train": 60, "validation": 1, "test": 3},
        "dog": {"train": 61, "validation": 1, "test": 1},
    }
    assert majority_baseline(counts) == ("dog", 0.25)
    assert majority_baseline({name: row | {"test": 0} for name, row in counts.items()}) == (
        "dog",
        62 / 123,
    )


def test_a_rule_says_only_what_is_asked():
    manifest = split(images(3), split_seed=7, test_split=0.5)
    assert SplitRule().resolved(None) == (0, 0.2, 0.2, "chance")
    assert SplitRule().resolved(manifest) == (7, 0.5, 0.2, "chance")
    assert SplitRule(seed=0).resolved(manifest) == (0, 0.5, 0.2, "chance")
    assert SplitRule(test_split=0).resolved(None) == (0, 0.0, 0.2, "chance")
    assert SplitRule(seed=7).agrees_with(manifest)
    assert not SplitRule(seed=0).agrees_with(manifest)
