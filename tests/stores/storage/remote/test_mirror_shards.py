import hashlib
import os
import shutil
import time

import fsspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stores import FeatureStore, MissingFeatures
from tests.support.samples import (
    RECIPE,
    a_store,
    few,
    flip,
    flip_row,
    in_child,
    objects,
    remote_of,
    shards,
    some_keys,
    some_rows,
    stored,
)


def test_another_machine_reads_what_one_has_written(machine):
    _, keys, rows = a_store(machine("one"))
    other = FeatureStore.open(machine("other"))
    assert not other.missing(keys).any()
    assert not shards(other)  # the index was enough for that
    assert np.array_equal(other.read(keys), rows)
    assert len(shards(other)) == 1


def test_each_sees_what_the_other_adds(machine):
    one, keys, _ = a_store(machine("one"))
    other, more, rows = a_store(machine("other"), seed=1)
    assert np.array_equal(one.read(more), rows)
    assert not other.missing(keys).any()


def test_a_shard_whose_writer_died_has_its_fragment_made_again(machine):
    _, keys, rows = a_store(machine("one"))
    files = fsspec.filesystem("memory")
    (fragment,) = [name for name in files.store if name.endswith(".parquet")][-1:]
    files.rm_file(fragment)
    other = FeatureStore(machine("other"), RECIPE)
    assert np.array_equal(other.read(keys), rows)
    assert any(name.endswith(".parquet") for name in objects(machine("other")))


def test_a_connection_cut_after_the_shard_costs_only_its_fragment(machine, monkeypatch):
    remote = remote_of(machine("one"))
    put = remote._put

    def cut(path, *arguments):
        if path.suffix == ".parquet":
            raise OSError("cut off")
        put(path, *arguments)

    monkeypatch.setattr(remote, "_put", cut)
    _, keys, rows = a_store(machine("one"))
    assert not any(name.endswith(".parquet") for name in objects(machine("one")))
    assert np.array_equal(FeatureStore.open(machine("other")).read(keys), rows)


def test_a_damaged_copy_is_fetched_again(machine, caplog):
    a_store(machine("one"))
    other = FeatureStore.open(machine("other"))
    keys, rows = some_keys(6), some_rows(6)
    other.read(keys)
    flip_row(other, 3)
    assert np.array_equal(FeatureStore.open(machine("other")).read(keys), rows)
    assert "the shard itself is whole" in caplog.text
    assert not [name for name in objects(machine("other")) if "quarantine" in name]


def test_a_cache_that_is_deleted_under_a_writer_costs_nothing(machine):
    one, keys, rows = a_store(machine("one"))
    shutil.rmtree(one.root.path)
    one.write(some_keys(6, 1), some_rows(6, seed=1))
    assert np.array_equal(one.read(keys), rows)
    other = FeatureStore.open(machine("other"))
    assert np.array_equal(other.read(some_keys(6, 1)), some_rows(6, seed=1))


def test_a_copy_that_was_cut_short_ends_no_process(machine):
    _, keys, rows = a_store(machine("one"))

    def read():
        store = FeatureStore.open(machine("one"))
        store.read(keys)
        os.truncate(shards(store)[0], 100)
        return store.read(keys)

    assert np.array_equal(in_child(read), rows)


def test_what_is_damaged_at_the_address_is_set_aside_there(machine, caplog):
    one, keys, rows = a_store(machine("one"))
    (shard,) = shards(one)
    offset = next(iter(one._index)).offset
    stored(one.root, shard.relative_to(one.root.path).as_posix()).getbuffer()[offset] ^= 1
    other = FeatureStore.open(machine("other"))
    with pytest.raises(MissingFeatures):
        other.read(keys)
    assert "quarantined" in caplog.text
    assert np.array_equal(other.read(keys[1:]), rows[1:])
    assert [name for name in objects(other.root) if name.endswith(f"quarantine/{shard.name}")]
    assert not [name for name in objects(other.root) if name.endswith(f"{shard.stem}.parquet")]
    assert other.stats().quarantined == 1
    assert FeatureStore.open(machine("third")).missing(keys).tolist() == [True] + [False] * 5


def test_the_least_recently_used_go_where_the_cache_is_full(machine, monkeypatch):
    store = FeatureStore(machine("one"), RECIPE)
    for seed in range(4):
        store.write(some_keys(6, seed), some_rows(6, seed=seed))
    size = store.stats().bytes // 4
    monkeypatch.setenv("GARGALO_CACHE_BYTES", str(size * 2))
    other = FeatureStore(machine("other"), RECIPE)
    for seed in (0, 1, 0, 2):
        assert np.array_equal(other.read(some_keys(6, seed)), some_rows(6, seed=seed))
        assert len(shards(other)) <= 2
    assert np.array_equal(
        other.read(np.concatenate([some_keys(6, seed) for seed in range(4)])),
        np.concatenate([some_rows(6, seed=seed) for seed in range(4)]),
    )


def test_a_cache_keeps_what_was_used_last(machine, monkeypatch):
    one, keys, _ = a_store(machine("one"))
    (first,) = shards(one)
    one.write(some_keys(6, 1), some_rows(6, seed=1))
    (second,) = set(shards(one)) - {first}
    for age, shard in enumerate((first, second)):
        os.utime(shard, (age, age))
    monkeypatch.setenv("GARGALO_CACHE_BYTES", str(first.stat().st_size * 2))
    FeatureStore.open(machine("one")).read(keys)
    one.write(some_keys(6, 2), some_rows(6, seed=2))
    assert first in shards(one)
    assert second not in shards(one)


def test_what_was_spoilt_on_its_way_is_fetched_again(machine, monkeypatch):
    a_store(machine("one"))
    other = FeatureStore.open(machine("other"))
    remote, (name,) = remote_of(other.root), [n for n in objects(other.root) if n.endswith(".h5")]
    fetch, spoilt = remote.fetch, [(other.root / name).path]

    def spoiling(names):
        fetch(names)
        while spoilt:
            flip(spoilt.pop(), 5000)

    monkeypatch.setattr(remote, "fetch", spoiling)
    shard = other.root / name
    path = shard.local(sha256=shard.path.stem)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == path.stem


@settings(few, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b"]), st.sampled_from("wrc"), st.integers(0, 3)),
        max_size=8,
    ),
    st.integers(0, 3),
)
def test_machines_agree_whatever_they_do(machine, steps, room):
    address = f"agree-{time.monotonic_ns()}"
    written = set()
    os.environ["GARGALO_CACHE_BYTES"] = str(room * 40_000)
    for name, action, seed in [*steps, *(("a", "r", n) for n in range(4)), ("b", "r", 0)]:
        store = FeatureStore(machine(name, address), RECIPE)
        if action == "c":
            shutil.rmtree(store.root.path, ignore_errors=True)
        elif action == "w":
            store.write(some_keys(6, seed), some_rows(6, seed=seed))
            written.add(seed)
        else:
            assert store.missing(some_keys(6, seed)).any() == (seed not in written)
            for known in written:
                read = store.read(some_keys(6, known))
                assert np.array_equal(read, some_rows(6, seed=known))
    del os.environ["GARGALO_CACHE_BYTES"]


def test_garbage_is_deleted_at_the_address(machine):
    one, keys, rows = a_store(machine("one"))
    one.write(keys[:3], rows[:3])
    other = FeatureStore.open(machine("other"))
    assert not other.collect_garbage(delete=True)  # it is younger than the grace time
    found = other.collect_garbage(grace_seconds=-1, delete=True)
    assert [item.reason for item in found] == ["each of its features is read from another shard"]
    assert len([name for name in objects(other.root) if name.endswith(".h5")]) == 1
    assert np.array_equal(one.read(keys), rows)
