"""Splits by time: the newest are tested on, groups stay whole, and no image moves."""

from dataclasses import replace
from datetime import date, datetime
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.datasets.groups import with_groups
from tasks.datasets.ingest import ingest
from tasks.datasets.label_table import LabelRule
from tasks.datasets.splits import SplitRule, gone, split_rows
from tasks.datasets.time_splits import times_of
from tasks.errors import InputError
from tests.support.entries import MANIFEST, as_entries, counts_of, entries_of, entry, rows_of, split
from tests.support.images import small_png, write, write_classes
from tests.support.ingested import by_path, split_of_keys

few = settings(max_examples=80)
SPLITS = ("train", "validation", "test")
# An image: its content, its time, its group.
IMAGES = st.lists(
    st.tuples(st.integers(0, 60), st.integers(-3, 20), st.integers(0, 9) | st.none()),
    max_size=60,
    unique_by=lambda image: image[0],
)


def ingested(images, previous=None, *, grouped=True):
    """Return the manifest of images, as ingest makes it."""
    entries = [
        entry(f"cat/{n}", f"{n}", time=time, group=f"g{group}" if grouped and group else None)
        for n, time, group in images
    ]
    rows = rows_of(entries)
    manifest = replace(MANIFEST, split_by="time")
    rows = split_rows(manifest, with_groups(rows, rows["group"]), previous)
    return replace(manifest, rows=pa.concat_tables([rows, gone(previous, rows)]))


def accepted(manifest):
    return as_entries(manifest.of_status("accepted"))


@few
@given(IMAGES)
def test_no_image_in_test_is_older_than_one_in_validation_nor_that_than_one_in_train(images):
    times = {split: [] for split in SPLITS}
    for one in accepted(ingested(images, grouped=False)):
        times[one.split].append(one.time)
    ordered = [sorted(times[split]) for split in SPLITS if times[split]]
    assert all(before[-1] <= after[0] for before, after in pairwise(ordered))
    tested = len(times["test"])
    assert abs(tested - 0.2 * len(images)) <= 0.5
    assert abs(len(times["validation"]) - 0.2 * (len(images) - tested)) <= 0.5


@few
@given(st.lists(IMAGES, min_size=1, max_size=4))
def test_whatever_is_added_or_removed_no_group_is_divided_and_no_image_moves(steps):
    manifest, ever = None, {}
    for images in steps:
        manifest = ingested(images, manifest)
        of_group = {}
        for one in accepted(manifest):
            of_group.setdefault(one.group or one.path, set()).add(one.split)
        assert all(len(splits) == 1 for splits in of_group.values())
        now = {e.key: e.split for e in entries_of(manifest) if e.split}
        assert now.items() >= {key: ever[key] for key in ever if key in now}.items()
        ever |= now
        assert not accepted(manifest) or "train" in ever.values()


@few
@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 99)), min_size=5, max_size=40),
    st.sampled_from([0.1, 0.2, 0.5]),
)
def test_groups_are_in_the_order_of_their_newest_image(groups, share):
    entries = [
        entry(f"cat/{number}_{n}", group=f"g{number}", time=newest - n)
        for number, (size, newest) in enumerate(groups)
        for n in range(size)
    ]
    found = accepted(split(entries, split_by="time", test_split=share))
    assert len(found) == len(entries)  # none is left out of a divided group
    newest = {}
    for one in found:
        newest[one.split] = [*newest.get(one.split, []), groups[int(one.group[1:])][1]]
    assert min(newest["test"]) >= max(newest["train"])
    largest = max(size for size, _ in groups)
    assert abs(len(newest["test"]) - share * len(entries)) <= largest


@few
@given(st.lists(st.dictionaries(st.integers(0, 60), st.integers(0, 20)), min_size=1, max_size=4))
def test_what_is_added_goes_where_its_group_is_and_none_is_left_out(steps):
    manifest, there = None, {}
    for added in steps:
        there = added | there
        manifest = ingested([(n, time, n // 5 + 1) for n, time in there.items()], manifest)
        assert len(accepted(manifest)) == len(there)


def test_what_is_newer_later_fills_up_test_first():
    first = [(n, n, None) for n in range(20)]
    before = ingested(first)
    assert counts_of(before) == (13, 3, 4)
    after = ingested(first + [(n, n, None) for n in range(20, 30)], before)
    newest = [one for one in accepted(after) if one.time >= 28]
    assert {one.split for one in newest} == {"test"}
    assert counts_of(after) == (19, 5, 6)


def test_a_group_larger_than_the_share_is_tested_on_and_the_last_one_is_not():
    large = [(n, 9, 1) for n in range(8)] + [(9, 1, 2)]
    assert counts_of(ingested(large)) == (1, 0, 8)
    assert counts_of(ingested(large[:8])) == (8, 0, 0)


def test_splits_of_folders_are_kept_and_times_divide_the_rest():
    entries = [entry(f"cat/{n}", time=n, split="test" if n < 5 else "train") for n in range(15)]
    found = {one.path: one.split for one in accepted(split(entries, split_by="time"))}
    assert [path for path in found if found[path] == "validation"] == ["cat/13", "cat/14"]
    assert list(found.values()).count("test") == 5


@pytest.mark.parametrize(
    ("texts", "times"),
    [
        (["3", None, "-20"], [3, None, -20]),
        (["1970-01-01", "1970-01-01T00:00:01Z"], [0, 1_000_000]),
        (["1970-01-01 01:00:00+01:00", "1969-12-31"], [0, -86_400_000_000]),
        ([None], [None]),
    ],
)
def test_times_are_dates_or_numbers(texts, times):
    column = pa.chunked_array([texts], pa.string())
    assert times_of("t.csv", column, column).to_pylist() == times


@pytest.fixture
def folder(tmp_path):
    return write_classes(tmp_path / "pets")


def dated(tmp_path, folder, first=1):
    names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.png"))]
    rows = "".join(f"{name},2024-03-{first + n:02}\n" for n, name in enumerate(names))
    (tmp_path / "times.csv").write_text(f"path,taken\n{rows}")
    return LabelRule(tmp_path / "times.csv", {"time": "taken"})


BY_TIME = SplitRule(by="time")


def test_a_data_set_keeps_its_times_and_its_rule(tmp_path, folder, store):
    first = ingest(folder, store=store, rule=BY_TIME, labels=dated(tmp_path, folder)).manifest
    tested = [e.path for e in entries_of(first) if e.split == "test"]
    assert tested == ["dog/008.png", "dog/009.png"]
    assert ingest(folder, store=store).manifest == first
    half = ingest(folder, store=store, rule=SplitRule(test_split=0.5)).manifest
    assert {e.path for e in entries_of(half) if e.split == "test"} == {
        f"dog/00{n}.png" for n in range(5, 10)
    }
    write(folder / "cat" / "new.png", small_png(77))
    with pytest.raises(InputError, match=r"no time for 'cat/new.png'; give a table"):
        ingest(folder, store=store)
    chance = ingest(folder, store=store, rule=SplitRule(by="chance")).manifest
    assert split_of_keys(chance) != split_of_keys(half)


@pytest.mark.parametrize("kind", [date, datetime])
def test_dates_of_parquet_are_read(tmp_path, folder, store, kind):
    paths = [f"cat/00{n}.png" for n in range(5)]
    times = [kind(2024, 3, n + 1) for n in range(5)]
    pq.write_table(
        pa.table({"path": paths, "label": list("aabab"), "time": times}), tmp_path / "t.parquet"
    )
    rule = LabelRule(tmp_path / "t.parquet")
    manifest = ingest(folder, store=store, rule=BY_TIME, labels=rule).manifest
    assert [e.path for e in entries_of(manifest) if e.split == "test"] == ["cat/004.png"]


def test_corrections_move_no_image(tmp_path, folder, store):
    rule = dated(tmp_path, folder)
    before = ingest(folder, store=store, rule=BY_TIME, labels=rule).manifest
    (tmp_path / "c.csv").write_text("path,label\ndog/009.png,cat\ndog/008.png,exclude\n")
    rule = replace(rule, corrections=tmp_path / "c.csv")
    after = ingest(folder, store=store, labels=rule).manifest
    assert split_of_keys(after) == split_of_keys(before)
    assert by_path(after)["dog/009.png"].label == "cat"


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        ("yesterday", "row 2: the time of 'cat/001.png' must be a date such as 2024-03-31 or"),
        ("2024-13-01", "Received: '2024-13-01'"),
        ("12", "or a whole number; in all rows alike. Received: '12'"),
        ("", "no time for 'cat/001.png' and 8 more"),
    ],
)
def test_each_bad_time_is_one_line(tmp_path, folder, store, time, reason):
    path = tmp_path / "times.csv"
    path.write_text(f"path,time\ncat/000.png,2024-03-31T14:05\ncat/001.png,{time}\n")
    with pytest.raises(InputError, match=reason) as error:
        ingest(folder, store=store, rule=BY_TIME, labels=LabelRule(path))
    assert "\n" not in str(error.value)
