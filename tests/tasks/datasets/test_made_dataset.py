"""A data set as it is going to be has the mistakes of the real one, and nothing is written."""

import logging
from dataclasses import replace

import pyarrow as pa
import pytest

from stores.manifest_rows import STAMP
from tasks.datasets import ingest as module
from tasks.datasets.ingest import ingest, ingest_as, read_keys
from tasks.datasets.known_files import EXAMINED, ReadAhead
from tasks.datasets.label_table import LabelRule
from tasks.datasets.made_dataset import Rules, assumed_dataset
from tasks.datasets.seen_folder import IngestRequest, see
from tasks.datasets.splits import SplitRule
from tasks.errors import InputError
from tests.support.entries import entries_of
from tests.support.images import grow_old, small_png, write, write_classes


@pytest.fixture
def folder(tmp_path):
    return write_classes(tmp_path / "pets")


def assumed(folder, store, *, real_keys=False, **asked):
    request = IngestRequest(folder=folder, store=store, **asked)
    seen = see(request)
    return assumed_dataset(seen, Rules.of(request), read_keys(seen) if real_keys else None)


def test_of_whole_files_it_is_the_data_set_but_for_the_draw(folder, store):
    expected = assumed(folder, store)
    assert not store.exists()
    manifest = ingest(folder, store=store).manifest
    assert (expected.counts(), expected.classes) == (manifest.counts(), manifest.classes)
    assert [e.path for e in entries_of(expected)] == [e.path for e in entries_of(manifest)]
    again = ingest(folder, store=store, dataset="other").manifest
    real = assumed(folder, store, dataset="third", real_keys=True)
    assert real.digest == again.digest


def test_known_images_keep_what_they_have_and_no_warning_is_given(folder, store, caplog):
    before = ingest(folder, store=store).manifest
    write(folder / "cat/new.png", small_png(77))
    with caplog.at_level(logging.WARNING):
        expected = assumed(folder, store)
        moved = assumed(folder, store, rule=SplitRule(seed=5))
    assert not caplog.records
    splits = {e.path: e.split for e in entries_of(expected)}
    assert splits.items() >= {e.path: e.split for e in entries_of(before)}.items()
    assert moved.split_seed == 5


def table(tmp_path, name, text):
    return write(tmp_path / name, text.encode())


@pytest.mark.parametrize("mistake", ["class", "correction", "split", "time"])
def test_a_mistake_is_told_as_by_ingest(folder, store, tmp_path, mistake):
    if mistake == "class":
        (folder / "bird").mkdir()
        write(folder / "bird/notes.txt", b"no image")
    cow = table(tmp_path, "c.csv", "path,label\ncat/000.png,cow\n")
    few = table(tmp_path, "s.csv", "path,split\ncat/000.png,train\n")
    asked = {
        "class": {},
        "correction": {"labels": LabelRule(corrections=cow)},
        "split": {"rule": SplitRule(file=few)},
        "time": {"rule": SplitRule(by="time")},
    }[mistake]
    with pytest.raises(InputError) as early:
        assumed(folder, store, **asked)
    with pytest.raises(InputError) as late:
        ingest(folder, store=store, **asked)
    assert str(early.value) == str(late.value)


def read_ahead(folder, store):
    """Return the request, and what a first ingest into another store found, as of now."""
    request = IngestRequest(folder=folder, store=store)
    seen = see(request)
    found = ingest(folder, store=store.with_name("elsewhere")).manifest
    rows = found.rows.select([*EXAMINED.names, *STAMP])
    return request, ReadAhead(rows, seen.started_ns, "upright")


def test_what_was_read_ahead_is_not_read_again(folder, store, monkeypatch):
    write(folder / "cat/broken.png", b"no image")
    grow_old()
    request, ahead = read_ahead(folder, store)
    monkeypatch.setattr(module, "examine", lambda path, _: pytest.fail(f"{path} is read"))
    done = ingest_as(request, ahead=ahead)
    monkeypatch.undo()
    assert done.read == 11
    expected = ingest(folder, store=store, dataset="other").manifest
    assert done.manifest.rows.equals(expected.rows)
    assert done.manifest.digest == expected.digest


def test_a_file_that_changed_or_is_new_since_is_read(folder, store):
    request, ahead = read_ahead(folder, store)
    write(folder / "cat/001.png", small_png(500))
    write(folder / "cat/new.png", small_png(501))
    (folder / "dog/006.png").unlink()
    done = ingest_as(request, ahead=ahead)
    expected = ingest(folder, store=store, dataset="other").manifest
    assert done.manifest.rows.equals(expected.rows)


@pytest.mark.parametrize("why", ["young", "other orientation", "not readable"])
def test_what_cannot_be_trusted_is_read(folder, store, monkeypatch, why):
    request, ahead = read_ahead(folder, store)
    if why == "young":
        ahead = replace(ahead, listed_ns=0)
    elif why == "other orientation":
        ahead = replace(ahead, orientation="stored")
    else:
        rows = ahead.rows
        ahead = replace(
            ahead,
            rows=rows.set_column(1, rows.schema.field("key"), pa.nulls(len(rows), pa.binary(32))),
        )
    read, examine = [], module.examine
    monkeypatch.setattr(
        module, "examine", lambda path, used: read.append(path) or examine(path, used)
    )
    assert ingest_as(request, ahead=ahead).read == len(read) == 10
