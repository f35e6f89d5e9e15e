"""Images of one group are never in two splits or folds."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stores.manifest_rows import set_column
from tasks.datasets.folds import fold_numbers, folds_of
from tasks.datasets.groups import check_pattern, groups_by_pattern, with_groups
from tasks.datasets.splits import gone, split_rows
from tasks.errors import InputError
from tests.support.entries import MANIFEST, as_entries, entries_of, entry, rows_of

few = settings(max_examples=80)
# An image: its content, its class, its group.
IMAGES = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from(["cat", "dog"]), st.integers(0, 9) | st.none()),
    max_size=60,
    unique_by=lambda image: image[0],
)


def ingested(images, previous=None):
    """Return the manifest of images, as ingest makes it."""
    entries = [
        entry(f"{label}/{n}", f"{n}", group=None if group is None else f"g{group}")
        for n, label, group in images
    ]
    rows = rows_of(entries)
    rows = split_rows(MANIFEST, with_groups(rows, rows["group"]), previous)
    return replace(MANIFEST, rows=pa.concat_tables([rows, gone(previous, rows)]))


def accepted(manifest):
    return as_entries(manifest.of_status("accepted"))


def splits_by_group(manifest):
    found = {}
    for one in accepted(manifest):
        if one.group:
            found.setdefault(one.group, set()).add(one.split)
    return found


@few
@given(st.lists(IMAGES, min_size=1, max_size=4))
def test_whatever_is_added_removed_relabelled_or_regrouped_no_group_is_divided(steps):
    manifest, ever = None, {}
    for images in steps:
        manifest = ingested(images, manifest)
        assert all(len(splits) == 1 for splits in splits_by_group(manifest).values())
        now = {e.key: e.split for e in entries_of(manifest) if e.split}
        assert now.items() >= {key: ever[key] for key in ever if key in now}.items()
        ever |= now
        fold = folds_of(manifest, 0)[0]
        learned = manifest.select("train", "validation")
        if learned.groups is not None:
            stopping = set(learned.groups[fold.stopping])
            assert stopping.isdisjoint(learned.groups[fold.learned(stops=True)])


@few
@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 2)), min_size=10, max_size=60),
    st.sampled_from([0.1, 0.2, 0.5]),
)
def test_each_split_has_its_share_to_within_one_group(groups, share):
    entries = [
        entry(f"{label}/{number}_{n}", group=f"g{number}")
        for number, (size, label) in enumerate(groups)
        for n in range(size)
    ]
    manifest = replace(MANIFEST, classes=("0", "1", "2"), test_split=share)
    manifest = replace(manifest, rows=split_rows(manifest, rows_of(entries), None))
    largest = max(size for size, _ in groups)
    tested = len(manifest.select("test").keys)
    left = len(entries) - tested
    # Each class keeps an image for training: a class that is one group gives none.
    able = sum(size for size, label in groups if [g[1] for g in groups].count(label) > 1)
    assert min(share * len(entries), able) - largest <= tested + largest * 2
    assert tested <= share * len(entries) + largest
    assert len(manifest.select("validation").keys) <= 0.2 * left + largest
    assert {e.label for e in accepted(manifest) if e.split == "train"} == {
        str(label) for _, label in groups
    }


def test_names_of_groups_and_the_order_of_files_decide_nothing():
    images = [(n, "cat" if n % 2 else "dog", n // 3) for n in range(60)]
    renamed = [(n, label, 100 - group) for n, label, group in reversed(images)]
    before, after = ({e.key: e.split for e in entries_of(ingested(i))} for i in (images, renamed))
    assert before == after


def test_a_group_that_is_divided_by_earlier_splits_stays_where_it_is_held_out():
    single = [(n, "cat", None) for n in range(20)]
    before = ingested(single)
    joined = ingested([(n, "cat", 0) for n, _, _ in single], before)
    assert {e.split for e in accepted(joined)} == {"test"}
    assert len(accepted(joined)) == 4
    out = as_entries(joined.of_status("conflicting"))
    assert {e.split for e in out} == {"train", "validation"}  # remembered
    assert "group 'g0' is in test too" in out[0].reason
    again = ingested(single, joined)
    assert {e.key: e.split for e in entries_of(again)} == {
        e.key: e.split for e in entries_of(before)
    }


def test_groups_that_share_an_image_are_one_and_its_copies_are_in_it():
    entries = [
        entry("cat/1", "same", group="a"),
        entry("cat/2", "same", group="b"),
        entry("cat/3", "same"),
        entry("cat/4", group="b"),
        entry("cat/5", group="c"),
    ]
    rows = rows_of(entries)
    found = with_groups(rows, rows["group"])["group"].to_pylist()
    assert found == ["a", "a", "a", "a", "c"]
    assert with_groups(rows, pa.chunked_array([found]))["group"].to_pylist() == found


@few
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), min_size=12, max_size=80))
def test_a_group_is_in_one_fold(images):
    if len({group for group, _ in images}) < 3:
        return
    rows = [entry(f"{label}/{n}", group=f"g{g}") for n, (g, label) in enumerate(images)]
    manifest = replace(MANIFEST, classes=("0", "1", "2"), rows=rows_of(rows))
    manifest = replace(
        manifest, rows=set_column(manifest.rows, "split", pa.array(["train"] * len(rows)))
    )
    listed = manifest.select()
    numbers = fold_numbers(listed, 3)
    pairs = set(zip(listed.groups.tolist(), numbers.tolist(), strict=True))
    assert len(pairs) == len(set(listed.groups.tolist()))
    assert set(numbers.tolist()) == {0, 1, 2}
    # By content: in another order of the files, the same.
    shuffled = np.random.default_rng(0).permutation(len(rows))
    other = replace(manifest, rows=manifest.rows.take(shuffled)).select()
    by_key = dict(zip(map(bytes, listed.keys), numbers, strict=True))
    assert [by_key[bytes(key)] for key in other.keys] == fold_numbers(other, 3).tolist()


def test_fewer_groups_than_folds_is_one_line():
    rows = rows_of([entry(f"cat/{n}", split="train", group=f"g{n % 2}") for n in range(9)])
    with pytest.raises(InputError, match="2 groups of images for 5 folds; give --folds 2 at most"):
        folds_of(replace(MANIFEST, rows=rows), 5)


@pytest.mark.parametrize(
    ("pattern", "path", "group"),
    [
        (r"animal(\d+)_", "cat/animal7_1.jpg", "7"),
        (r"^([^/]+)/", "a b/1.jpg", "a b"),
        (r"\((.)\)[(]", "x(é)(", "é"),
        (r"(?:p|q)_(\w+?)_", "p_07_1", "07"),
        (r"z(\d)", "cat/1", None),
    ],
)
def test_a_pattern_finds_the_group_in_the_path(pattern, path, group):
    assert groups_by_pattern(pa.chunked_array([[path]]), pattern).to_pylist() == [group]


@pytest.mark.parametrize(
    "pattern", ["animal", r"(a)(b)", "(", r"(?P<n>\d)(?=x)", "(" * 900, "(?:a)"]
)
def test_a_pattern_that_is_none_is_one_line(pattern):
    with pytest.raises(InputError, match="give a regular expression") as error:
        check_pattern(pattern)
    assert "\n" not in str(error.value)
