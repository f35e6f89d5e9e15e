import errno
import os
import resource
import signal

import h5py
import numpy as np
import pytest

from stores import FeatureStore, StoreFull, StoreReadOnly
from tests.support.samples import (
    RECIPE,
    a_store,
    flip_row,
    fragments,
    in_child,
    quarantined,
    shards,
    snapshot,
    some_keys,
    some_rows,
)


def test_reading_a_store_never_writes(tmp_path):
    _, keys, _ = a_store(tmp_path)
    before = snapshot(tmp_path)
    store = FeatureStore.open(tmp_path)
    store.read(keys)
    store.missing(some_keys(3, seed=9))
    list(store.batches(keys, batch_size=2))
    assert store.verify() == []
    assert store.collect_garbage(grace_seconds=0) == []
    store.stats()
    assert snapshot(tmp_path) == before


def test_a_read_only_store_is_read(public, sealed):
    store, keys, rows = a_store(public)
    fragments(store)[0].unlink()  # without it there is more to do
    sealed(public)
    before = snapshot(public)

    def read():
        store = FeatureStore.open(public)
        return store.read(keys), store.missing(some_keys(2)), store.verify(), store.stats()

    read, missing, findings, _ = in_child(read, nobody=True)
    assert np.array_equal(read, rows)
    assert not missing.any()
    assert findings == []
    assert snapshot(public) == before


@pytest.mark.parametrize(
    "verb",
    [
        lambda store: store.write(some_keys(2, seed=3), some_rows(2)),
        lambda store: store.reindex(),
        lambda store: store.collect_garbage(grace_seconds=0, delete=True),
    ],
)
def test_a_read_only_store_refuses_what_writes(public, sealed, verb):
    store, _, _ = a_store(public)
    (store.folder / "tmp" / "dead.draft").touch()
    sealed(public)
    before = snapshot(public)
    with pytest.raises(StoreReadOnly, match="give another --store"):
        in_child(lambda: verb(FeatureStore.open(public)), nobody=True)
    assert snapshot(public) == before


def test_in_a_read_only_store_a_damaged_shard_is_skipped(public, sealed):
    store, keys, _ = a_store(public)
    store.write(some_keys(2, seed=3), some_rows(2, seed=3))
    flip_row(store, 0, shard=[path.stem for path in shards(store)].index(first_shard(store, keys)))
    sealed(public)

    def read():
        store = FeatureStore.open(public)
        found = len(store.verify())
        other = store.read(some_keys(2, seed=3))
        return found, store.missing(keys), other, len(store.verify())

    found, missing, other, again = in_child(read, nobody=True)
    assert found == again == 1
    assert missing.all()
    assert np.array_equal(other, some_rows(2, seed=3))
    assert not quarantined(store)


def first_shard(store, keys):
    """Return the digest of the shard that holds the first key."""
    for path in shards(store):
        with h5py.File(path) as file:
            if (file["key"][:] == keys[0]).all(axis=1).any():
                return path.stem
    raise AssertionError


def test_a_full_disk_keeps_what_was_stored_before(small_disk):
    store, keys, rows = a_store(small_disk)
    with pytest.raises(StoreFull, match="what was stored before is intact"):
        store.write(some_keys(9000, seed=2), some_rows(9000))
    assert not list((store.folder / "tmp").iterdir())
    assert np.array_equal(FeatureStore(small_disk, RECIPE).read(keys), rows)
    store.write(some_keys(3, seed=4), some_rows(3, seed=4))
    assert len(shards(store)) == 2


def test_a_limit_on_the_size_of_files_is_store_full_too(tmp_path):
    store, keys, rows = a_store(tmp_path)

    def write():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        store.write(some_keys(5000, seed=2), some_rows(5000))

    with pytest.raises(StoreFull, match="free some space"):
        in_child(write)
    assert not list((store.folder / "tmp").iterdir())
    assert np.array_equal(FeatureStore(tmp_path, RECIPE).read(keys), rows)


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_a_disk_full_at_any_call_stores_nothing(tmp_path, monkeypatch, call):
    store, keys, rows = a_store(tmp_path)
    before = snapshot(tmp_path / "features").keys()

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(StoreFull):
        store.write(some_keys(5, seed=2), some_rows(5))
    assert snapshot(tmp_path / "features").keys() == before
    assert store.missing(some_keys(5, seed=2)).all()
    assert np.array_equal(store.read(keys), rows)


def test_a_disk_too_full_for_the_fragment_still_acknowledges(tmp_path, monkeypatch):
    store, keys, rows = a_store(tmp_path)
    rename = os.rename

    def full_for_the_index(source, target, **folders):
        if target.endswith(".parquet"):
            raise OSError(errno.ENOSPC, "No space left on device")
        rename(source, target, **folders)

    monkeypatch.setattr(os, "rename", full_for_the_index)
    store.write(some_keys(5, seed=2), some_rows(5, seed=2))
    assert len(shards(store)) == len(fragments(store)) + 1
    monkeypatch.undo()
    assert np.array_equal(FeatureStore(tmp_path, RECIPE).read(keys), rows)
    assert len(shards(store)) == len(fragments(store)) == 2
