import json
import os
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stores import RunStore
from stores.layout import locate
from stores.merge.result import Merged
from stores.merge.runs import merge_runs
from stores.runs.record import RUN_VERSION, SINCE, TestOpening
from stores.storage.digests import json_digest
from tests.stores.runs.test_record import RUN
from tests.support.runs import OTHER, look, opening_paths, publish
from tests.support.samples import flip, snapshot


@pytest.fixture
def theirs(tmp_path):
    """Another store, with one run that was tested once."""
    store = RunStore(tmp_path / "theirs")
    publish(store)
    look(store)
    return store


@pytest.fixture
def ours(tmp_path):
    return RunStore(tmp_path / "ours")


def merged_into(ours, theirs):
    merged = Merged()
    merge_runs(ours.root, theirs.root, merged)
    return merged


def files(store, run=RUN):
    folder = store.folder / run.id[:16]
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_run_is_taken_over_with_all_that_belongs_to_it(ours, theirs):
    before = snapshot(theirs.root)
    merged = merged_into(ours, theirs)
    assert files(ours) == files(theirs)
    assert (merged.runs, merged.looks) == (1, 1)
    assert merged.bytes == sum(map(len, files(theirs).values()))
    assert list(ours.verify().values()) == [[]]
    assert ours.table().to_pylist() == theirs.table().to_pylist()
    assert snapshot(theirs.root) == before


def test_a_second_merge_copies_nothing(ours, theirs):
    merged_into(ours, theirs)
    before = snapshot(ours.root)
    assert merged_into(ours, theirs) == Merged()
    assert snapshot(ours.root) == before


@settings(max_examples=10)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([RUN, OTHER])), max_size=5))
def test_the_looks_of_all_stores_are_counted_once(tmp_path_factory, looks):
    root = tmp_path_factory.mktemp("stores")
    stores = {name: RunStore(root / name) for name in "ab"}
    for store in stores.values():
        for run in (RUN, OTHER):
            publish(store, run)
    for name, run in looks:
        look(stores[name], run.id)
    for order in ("ab", "ba"):
        for name in order * 2:
            merged_into(RunStore(root / order), stores[name])
        assert RunStore(root / order).times_opened([b"k" * 32]) == len(looks)
        assert len(RunStore(root / order).openings(RUN.id)) == sum(r == RUN for _, r in looks)
    assert files(RunStore(root / "ab")) == files(RunStore(root / "ba"))


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: flip(folder / "model" / "model.txt", 3),
        lambda folder: (folder / "model" / "more").touch(),
        lambda folder: (folder / "run.json").unlink(),
        lambda folder: os.truncate(folder / "history.parquet", 9),
        lambda folder: (folder / "predictions.parquet").unlink(),
        lambda folder: folder.rename(folder.with_name("0" * 16)),
    ],
)
def test_a_damaged_run_is_reported_and_not_taken(ours, theirs, damage):
    publish(theirs, OTHER)
    damage(theirs.folder / RUN.id[:16])
    merged = merged_into(ours, theirs)
    assert (merged.runs, len(merged.damaged)) == (1, 1)
    assert "train again" in merged.damaged[0]
    assert RUN.id not in ours
    assert OTHER.id in ours


def test_a_run_that_is_damaged_here_is_mended_and_keeps_its_looks(ours, theirs):
    publish(ours)
    look(ours, accuracy=0.25)
    flip(ours.folder / RUN.id[:16] / "model" / "model.txt", 3)
    assert merged_into(ours, theirs).runs == 1
    assert RUN.id in ours
    assert {o.metrics["test_accuracy"] for o in ours.openings(RUN.id)} == {0.25, 0.5}


def test_a_damaged_look_is_reported_and_the_others_taken(ours, theirs):
    publish(ours)
    look(theirs, accuracy=0.75)
    flip(opening_paths(theirs.folder / RUN.id[:16])[0].with_suffix(".parquet"), 9)
    for _ in range(2):
        merged = merged_into(ours, theirs)
        assert "a test evaluation" in merged.damaged[0]
    (path,) = opening_paths(ours.folder / RUN.id[:16])
    assert TestOpening.read(locate(path)).metrics["test_accuracy"] == 0.75
    assert ours.times_opened([b"k" * 32]) == 2  # it names the one before


def test_half_a_look_is_made_whole_by_the_next_merge(ours, theirs):
    merged_into(ours, theirs)
    (path,) = opening_paths(ours.folder / RUN.id[:16])
    path.unlink()
    assert merged_into(ours, theirs).looks == 1
    assert files(ours) == files(theirs)


def test_a_run_of_an_older_format_stays_as_it_is(ours, theirs):
    path = theirs.folder / RUN.id[:16] / "run.json"
    body = json.loads(path.read_text())["run"]
    body = {name: value for name, value in body.items() if name not in SINCE}
    path.write_text(json.dumps({"format": 1, "sha256": json_digest(body), "run": body}))
    assert merged_into(ours, theirs).runs == 1
    assert files(ours) == files(theirs)


def test_a_newer_run_is_left_alone(ours, theirs):
    path = theirs.folder / RUN.id[:16] / "run.json"
    path.write_text(path.read_text().replace(f'"format": {RUN_VERSION}', '"format": 9'))
    merged = merged_into(ours, theirs)
    assert "of format version 9" in merged.left[0]
    assert not merged.damaged


def test_a_run_without_a_model_is_taken_over_too(ours, theirs):
    failed = replace(RUN, seed=9, failure="the loss is no number", metrics={})
    publish(theirs, failed, history=(), save=lambda _: None)
    assert merged_into(ours, theirs).runs == 2
    assert failed.id in ours


def test_a_file_that_a_run_links_to_is_not_taken_over(ours, theirs, tmp_path):
    """The kind: what a link in somebody else's store leads to is copied, and others may read it."""
    secret = tmp_path / "id_rsa"
    secret.write_text("of this user alone")
    (theirs.folder / RUN.id[:16] / "notes.txt").symlink_to(secret)
    merged = merged_into(ours, theirs)
    assert (merged.runs, len(merged.damaged)) == (0, 1)
    assert "notes.txt: expected a file, found a link" in merged.damaged[0]
    assert not [path for path in ours.folder.rglob("*") if path.name == "notes.txt"]
