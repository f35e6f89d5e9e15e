import os
import resource

import numpy as np
import pytest

from stores import FeatureStore, MissingFeatures
from tests.support.samples import (
    RECIPE,
    a_store,
    flip_row,
    fragments,
    in_child,
    quarantined,
    shards,
    some_keys,
    some_rows,
)
from tests.support.writers import KEYS, ROWS, at_once


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_twins_the_smaller_digest_is_read(tmp_path, order):
    keys = some_keys(3)
    writers = [FeatureStore(tmp_path, RECIPE) for _ in range(2)]
    digests = [
        writer.write(keys, np.full((3, 8), value, np.float32))
        for writer, value in list(zip(writers, [1, 2], strict=True))[::order]
    ][::order]
    expected = np.full((3, 8), 1 + digests.index(min(digests)), np.float32)
    for reader in (*writers, FeatureStore(tmp_path, RECIPE)):
        assert np.array_equal(reader.read(keys), expected)


@pytest.mark.parametrize("known", [True, False])
def test_a_damaged_twin_is_replaced_by_the_other(tmp_path, known):
    store, keys, rows = a_store(tmp_path)
    store.write(keys, rows, producer={"engine": "openvino"})
    assert not known or len(store.read(keys))
    flip_row(store, 2)  # of the first shard, which is the smaller digest
    store = store if known else FeatureStore(tmp_path, RECIPE)
    assert np.array_equal(store.read(keys), rows)
    assert len(quarantined(store)) == 1


def test_what_another_writes_is_seen(tmp_path):
    store, _, _ = a_store(tmp_path)
    reader = FeatureStore(tmp_path, RECIPE)
    assert reader.missing(some_keys(2, seed=1)).all()
    store.write(some_keys(2, seed=1), some_rows(2, seed=1))
    assert not reader.missing(some_keys(2, seed=1)).any()
    assert np.array_equal(reader.read(some_keys(2, seed=1)), some_rows(2, seed=1))


def test_two_processes_write_different_and_the_same_rows_at_once(tmp_path):
    at_once(tmp_path, [(0, 40, 8), (20, 40, 5)])
    store = FeatureStore(tmp_path, RECIPE)
    assert np.array_equal(store.read(KEYS), ROWS)
    assert store.stats().features == 60
    assert store.verify() == []
    assert len(shards(store)) == len(fragments(store)) == 13
    assert not list((store.folder / "tmp").iterdir())


def two_shards(root):
    """Return a store with two shards of 3 rows, the keys and rows in the order of the shards."""
    store, keys, rows = FeatureStore(root, RECIPE), some_keys(6), some_rows(6)
    parts = [slice(0, 3), slice(3, 6)]
    order = sorted(parts, key=lambda part: store.write(keys[part], rows[part]))
    return store, *(np.concatenate([array[part] for part in order]) for array in (keys, rows))


@pytest.mark.usefixtures("one_by_one")
def test_a_shard_deleted_under_a_reader_is_read_from_its_twin(tmp_path):
    store, keys, rows = two_shards(tmp_path)
    second = shards(store)[1]
    batches = store.batches(keys, batch_size=3)
    read = [next(batches)[1]]
    other = FeatureStore(tmp_path, RECIPE)
    other.write(keys[3:], rows[3:], producer={"engine": "openvino"})
    second.unlink()
    read += [batch for _, batch in batches]
    assert np.array_equal(np.concatenate(read), rows)


@pytest.mark.usefixtures("one_by_one")
def test_a_shard_quarantined_under_a_reader_is_read_from_its_rest(tmp_path):
    store, keys, rows = two_shards(tmp_path)
    batches = store.batches(keys[:5], batch_size=3)
    read = [next(batches)[1]]
    flip_row(store, 2, shard=1)
    assert len(FeatureStore(tmp_path, RECIPE).verify()) == 1
    read += [batch for _, batch in batches]
    assert np.array_equal(np.concatenate(read), rows[:5])


@pytest.mark.usefixtures("one_by_one")
@pytest.mark.parametrize("mapped", [True, False])
def test_a_shard_cut_under_a_reader_is_missing_and_no_crash(tmp_path, mapped):
    store, keys, _ = two_shards(tmp_path)
    batches = store.batches(keys, batch_size=3)
    next(batches)
    assert not mapped or len(store.read(keys))
    os.truncate(shards(store)[1], 5000)
    with pytest.raises(MissingFeatures, match=r"3 of [36]"):
        in_child(lambda: store.read(keys) if mapped else next(batches))


def test_a_shard_that_goes_while_it_is_verified_is_no_finding(tmp_path, monkeypatch):
    store, _, _ = a_store(tmp_path)
    refresh = store._index.refresh

    def overtaken(**options):
        found = refresh(**options)
        shards(store)[0].unlink()
        return found

    monkeypatch.setattr(store._index, "refresh", overtaken)
    assert store.verify() == []


def test_a_shard_that_goes_while_it_is_listed_is_no_feature(tmp_path, monkeypatch):
    store, keys, rows = a_store(tmp_path)
    listed = {path.stem: path.stat().st_size for path in shards(store)} | {"0" * 64: 1}
    monkeypatch.setattr("stores.features.index.shard_sizes", lambda _: listed)
    assert np.array_equal(FeatureStore(tmp_path, RECIPE).read(keys), rows)


def test_more_shards_than_open_files_are_read(tmp_path):
    store, keys, rows = FeatureStore(tmp_path, RECIPE), some_keys(80), some_rows(80)
    for number in range(80):
        store.write(keys[number : number + 1], rows[number : number + 1])

    def read():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        return store.read(keys)

    assert np.array_equal(in_child(read), rows)
