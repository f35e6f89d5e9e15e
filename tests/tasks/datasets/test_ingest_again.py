"""Only what may have changed is read again."""

import os
from dataclasses import replace

import pytest

from stores.keys import ImageKey
from tasks.datasets import ingest as ingest_module
from tasks.datasets import known_files, made_dataset
from tasks.datasets.ingest import ingest
from tasks.datasets.seen_folder import IngestRequest, see
from tasks.datasets.splits import SplitRule
from tasks.images.image_check import Examined
from tests.support.entries import entries_of, with_entries
from tests.support.images import (
    every_kind,
    grow_old,
    refused_images,
    small_png,
    with_orientation,
    write,
    write_classes,
)
from tests.support.ingested import by_path


@pytest.fixture
def folder(tmp_path):
    return write_classes(tmp_path / "pets")


def test_an_unchanged_folder_gives_the_same_manifest(folder, store):
    first = ingest(folder, store=store).manifest
    assert ingest(folder, store=store).manifest == first
    assert ingest(folder, store=store, rule=SplitRule(seed=0, test_split=0.2)).manifest == first


@pytest.mark.parametrize("tick", [known_files.CLOCK_TICK_NS, -(10**15)], ids=["young", "stamp"])
def test_an_edit_that_restores_size_and_mtime_is_noticed(folder, store, monkeypatch, tick):
    monkeypatch.setattr(known_files, "CLOCK_TICK_NS", tick)  # below 0, no file is too young
    before = ingest(folder, store=store).manifest
    path = folder / "cat" / "001.png"
    about, content = path.stat(), path.read_bytes()
    path.write_bytes(content[:-1] + b"\0")
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    after = ingest(folder, store=store)
    assert path.stat().st_mtime_ns == about.st_mtime_ns
    assert after.read == 1
    assert by_path(after.manifest)["cat/001.png"].key == ImageKey.of(content[:-1] + b"\0")
    assert by_path(after.manifest)["cat/001.png"].split == by_path(before)["cat/001.png"].split


def test_a_file_as_young_as_the_listing_is_read_again(folder, store, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(known_files, "CLOCK_TICK_NS", 10**12)
        assert [ingest(folder, store=store).read for _ in range(3)] == [10, 10, 10]
    assert ingest(folder, store=store).read == 0


def test_a_file_written_just_before_is_read_again_once(folder, store):
    write(folder / "cat" / "new.png", small_png(99))
    first = ingest(folder, store=store)
    grow_old()
    assert (first.read, ingest(folder, store=store).read) == (10 + 1, 1)
    assert ingest(folder, store=store).read == 0


def test_a_date_in_the_future_is_not_young(folder, store):
    os.utime(folder / "cat" / "001.png", (2**33, 2**33))
    grow_old()
    assert [ingest(folder, store=store).read for _ in range(2)] == [10, 0]


def test_rehash_reads_everything(folder, store):
    first = ingest(folder, store=store).manifest
    again = ingest(folder, store=store, rehash=True)
    assert again.read == 10
    assert again.manifest == replace(first, listed_ns=again.manifest.listed_ns)


def test_rehash_finds_what_the_stamp_hides(folder, store, monkeypatch):
    manifest = ingest(folder, store=store).manifest
    stale = tuple(replace(e, key=ImageKey.of(b"stale")) for e in entries_of(manifest))
    with_entries(manifest, entries=stale).write(store)
    assert entries_of(ingest(folder, store=store).manifest) == stale
    rehashed = ingest(folder, store=store, rehash=True).manifest
    assert by_path(rehashed) == by_path(manifest)


def test_what_could_not_be_read_is_tried_again_when_it_can_be(folder, store, monkeypatch):
    closed = Examined(None, "rejected", "cannot be read: Permission denied")
    with monkeypatch.context() as patch:
        patch.setattr(ingest_module, "examine", lambda *_: closed)
        patch.setattr(made_dataset, "check_classes", lambda *_: None)
        ingest(folder, store=store)
        patch.setattr(os, "access", lambda *_: False)
        assert ingest(folder, store=store).read == 0
    again = ingest(folder, store=store)
    assert again.read == 10
    assert len(again.manifest.of_status("accepted")) == 10


def test_files_that_other_rules_examined_are_read_again_once(folder, store):
    write(folder / "cat/jpeg.bmp", refused_images()["jpeg.bmp"])
    write(folder / "dog/turned.jpg", with_orientation(every_kind()["rgb.jpg"], 6))
    grow_old()
    now = ingest(folder, store=store).manifest
    earlier = [
        replace(entry, status="accepted", reason="", split=entry.split or "train")
        for entry in entries_of(now)
    ]
    with_entries(now, entries=tuple(earlier), examination=1).write(
        store
    )  # as an earlier version had it
    assert len(see(IngestRequest(folder=folder, store=store)).unread()) == 12
    again = ingest(folder, store=store)
    assert again.read == 12
    found = [[(e.path, e.status, e.reason) for e in entries_of(m)] for m in (again.manifest, now)]
    assert found[0] == found[1]
    assert "JPEG" in by_path(again.manifest)["cat/jpeg.bmp"].reason
    assert "turned upright" in by_path(again.manifest)["dog/turned.jpg"].reason
    assert ingest(folder, store=store).read == 0
