"""Near-duplicates are in one split, whatever comes, and no image that was searched moves."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stores.keys import as_keys
from stores.manifest_rows import set_column
from tasks.datasets.groups import joined, with_groups
from tasks.datasets.kept_together import (
    awaits_search,
    check_settled,
    settled,
    with_known_groups,
    with_near_duplicates,
)
from tasks.datasets.splits import gone, split_rows
from tasks.errors import InputError
from tests.support.entries import MANIFEST, as_entries, entries_of, entry, rows_of

KEEP = replace(MANIFEST, keep_together="near-duplicates")
few = settings(max_examples=80)
# An image: its content, its class, its group, and what it looks like.
IMAGES = st.lists(
    st.tuples(
        st.integers(0, 60),
        st.sampled_from(["cat", "dog"]),
        st.integers(0, 9) | st.none(),
        st.integers(0, 9),
    ),
    max_size=40,
    unique_by=lambda image: image[0],
)


def ingested(images, previous=None, base=KEEP):
    """Return the manifest of images, as ingest makes it."""
    rows = rows_of(
        entry(f"{label}/{n}", f"{n}", group=None if group is None else f"g{group}")
        for n, label, group, _ in images
    )
    rows = with_groups(rows, rows["group"])
    rows = with_known_groups(rows, previous, base.keep_together)
    rows = split_rows(base, rows, previous)
    return replace(base, rows=pa.concat_tables([rows, gone(previous, rows)]))


def searched(manifest, images):
    """Return it after a search that found what looks alike."""
    looks = {f"{label}/{n}": f"look {look}" for n, label, _, look in images}
    listed = manifest.select()
    own = [looks[path] for path in listed.paths.to_pylist()]
    alike = zip(map(bytes, listed.keys), own, strict=True)
    several = {key: look for key, look in alike if own.count(look) > 1}
    return with_near_duplicates(manifest, listed.keys, several)


def accepted(manifest):
    return as_entries(manifest.of_status("accepted"))


def splits(manifest):
    return {one.key: one.split for one in accepted(manifest)}


def sides(manifest, by):
    found = {}
    for one in accepted(manifest):
        if name := by(one):
            found.setdefault(name, set()).add(one.split)
    return [len(splits) for splits in found.values()]


@few
@given(st.lists(IMAGES, min_size=1, max_size=4))
def test_whatever_comes_and_goes_no_group_of_either_kind_is_divided(steps):
    manifest, ever = None, {}
    for images in steps:
        looks = {f"{label}/{n}": look for n, label, _, look in images}
        manifest = ingested(images, manifest)
        manifest = searched(manifest, images)
        assert set(sides(manifest, lambda one, looks=looks: f"look {looks[one.path]}")) <= {1}
        assert set(sides(manifest, lambda one: one.group)) <= {1}
        assert set(sides(manifest, lambda one: one.given_group)) <= {1}
        now = splits(manifest)
        assert now.items() >= {key: ever[key] for key in ever if key in now}.items()
        ever |= {one.key: one.split for one in entries_of(manifest) if one.split}
        assert not awaits_search(manifest)
        check_settled(manifest)
        again = ingested(images, manifest)
        assert splits(again) == now
        assert not awaits_search(again)


@few
@given(IMAGES)
def test_a_new_data_set_is_split_as_one_that_was_given_these_groups(images):
    kept = searched(ingested(images), images)
    names = {one.path: one.group for one in entries_of(kept)}
    rows = rows_of(entry(f"{label}/{n}", f"{n}") for n, label, _, _ in images)
    groups = [names[path] for path in rows["path"].to_pylist()]
    rows = with_groups(rows, pa.chunked_array([groups], pa.string()))
    given = replace(MANIFEST, rows=split_rows(MANIFEST, rows, None))
    assert splits(kept) == splits(given)


def burst(numbers, label="cat", look=1):
    return [(n, label, None, look) for n in numbers]


def alone(numbers):
    return [(n, "cat", None, f"{n}") for n in numbers]


def test_on_an_existing_split_no_image_moves_and_a_group_is_used_where_it_is_held_out():
    before = ingested(burst(range(20)), base=MANIFEST)
    kept = searched(ingested(burst(range(20)), before), burst(range(20)))
    assert {one.split for one in accepted(kept)} == {"test"}
    assert splits(kept).items() <= splits(before).items()
    out = as_entries(kept.of_status("conflicting"))
    assert "group 'near-duplicate images 1' is in test too: left out of" in out[0].reason
    undone = ingested(burst(range(20)), kept, base=MANIFEST)
    assert splits(undone) == splits(before)


def test_images_that_come_join_a_group_and_a_new_group_has_a_new_number():
    images = alone(range(30)) + burst(range(30, 33))
    first = searched(ingested(images), images)
    more = [*images, *burst(range(40, 42)), *burst(range(50, 52), look=2)]
    grown = ingested(more, first)
    assert awaits_search(grown)
    with pytest.raises(InputError, match=r"those of 4 images are not searched yet; run python -m"):
        check_settled(grown)
    found = searched(grown, more)
    names = {one.path: one.near_group for one in accepted(found)}
    assert {names[f"cat/{n}"] for n in (30, 31, 32, 40, 41)} == {"near-duplicate images 1"}
    assert names["cat/50"] == names["cat/51"] == "near-duplicate images 3"
    assert splits(found).items() >= splits(first).items()


def test_a_group_that_a_later_search_does_not_find_stays():
    images = alone(range(20)) + burst(range(30, 33))
    first = searched(ingested(images), images)
    again = with_near_duplicates(first, first.select().keys, {})
    assert again.rows.equals(first.rows)


def test_what_could_not_be_searched_stays_where_it_is_and_is_searched_again():
    images = alone(range(20)) + burst(range(30, 33))
    manifest = settled(ingested(images), untold="23 images are too few to compare")
    check_settled(manifest)
    assert awaits_search(manifest)
    assert manifest.summary().notes == (
        "near-duplicates may be in two splits: 23 images are too few to compare",
    )
    found = searched(manifest, images)
    assert splits(found).items() <= splits(manifest).items()
    assert found.summary().notes == ()


@pytest.mark.parametrize("folders", [("train", "test"), ("train", "validation", "test")])
def test_splits_of_folders_stay_and_validation_is_drawn_from_train_by_groups(folders):
    rows = rows_of(
        entry(f"cat/{n:02}", split=folders[n % len(folders)] if n >= 30 else "train")
        for n in range(60)
    )
    rows = split_rows(KEEP, with_known_groups(rows, None, KEEP.keep_together), None)
    manifest = replace(KEEP, rows=rows)
    keys = {one.path: bytes(one.key) for one in accepted(manifest)}
    groups = {keys[f"cat/{n:02}"]: f"look {n // 3}" for n in range(30)}
    found = with_near_duplicates(manifest, as_keys(keys.values()), groups)
    assert len(accepted(found)) == 60
    assert set(sides(found, lambda one: one.group)) == {1}
    assert all(
        one.split == one.given_split or (one.given_split, one.split) == ("train", "validation")
        for one in accepted(found)
    )
    assert found.select("validation").keys.size


@few
@given(st.lists(st.tuples(st.integers(0, 9) | st.none(), st.integers(0, 9) | st.none())))
def test_joined_groups_are_the_components_of_both_kinds(rows):
    given_names, near = (
        pa.chunked_array(
            [[None if row[side] is None else f"{mark}{row[side]}" for row in rows]], pa.string()
        )
        for side, mark in enumerate("gn")
    )
    found = joined(given_names, near).to_pylist()
    labels = np.arange(len(rows))
    for _ in rows:  # the smallest number spreads to whatever shares a group of either kind
        for column in (given_names.to_pylist(), near.to_pylist()):
            for n, name in enumerate(column):
                if name is not None:
                    labels[n] = min(labels[m] for m, other in enumerate(column) if other == name)
    for n, name in enumerate(found):
        assert (name is None) == (rows[n] == (None, None))
        assert all(
            (found[m] == name) == (labels[m] == labels[n])
            for m in range(len(rows))
            if name is not None and found[m] is not None
        )


def test_data_sets_without_the_choice_have_nothing_of_it():
    images = burst(range(9))
    manifest = ingested(images, base=MANIFEST)
    assert not awaits_search(manifest)
    rows = rows_of(entry(f"{label}/{n}", f"{n}") for n, label, _, _ in images)
    assert with_known_groups(rows, None, "none") is rows
    assert all(
        manifest.rows[name].null_count == 9
        for name in ("given_group", "given_split", "near_group", "open_split")
    )
    assert set_column(rows, "near_group", manifest.rows["near_group"]).equals(rows)
