import os
import pickle
import shutil
import time
from dataclasses import replace

import fsspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stores import FeatureStore, Manifest, MissingFeatures, NotInStore, RunStore, StoreRefused
from stores.checkpoints import Checkpoints, unfinished
from stores.manifest import datasets
from stores.mirror import TravellingStore, at_address, half_published, local_shard, mirror_of, shown
from stores.remote import remote_of
from tests.stores.runs import publish
from tests.stores.samples import (
    RECIPE,
    a_store,
    few,
    flip_row,
    in_child,
    shards,
    some_keys,
    some_rows,
)
from tests.stores.test_manifest import PETS
from tests.stores.test_run import RUN


def objects(mirror):
    """Return the names of all that is at the address."""
    return sorted(remote_of(mirror).listing(mirror))


def stored(mirror, name):
    """Return where the memory holds an object."""
    files, base = fsspec.core.url_to_fs(shown(mirror))
    return files.store[f"{base}/{name}"]


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
    shutil.rmtree(one.root)
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
    stored(one.root, shard.relative_to(one.root).as_posix()).getbuffer()[offset] ^= 1
    other = FeatureStore.open(machine("other"))
    with pytest.raises(MissingFeatures):
        other.read(keys)
    assert "quarantined" in caplog.text
    assert np.array_equal(other.read(keys[1:]), rows[1:])
    assert [name for name in objects(other.root) if name.endswith(f"quarantine/{shard.name}")]
    assert other.stats()["quarantined"] == 1
    assert FeatureStore.open(machine("third")).missing(keys).tolist() == [True] + [False] * 5


def test_the_least_recently_used_go_where_the_cache_is_full(machine, monkeypatch):
    store = FeatureStore(machine("one"), RECIPE)
    for seed in range(4):
        store.write(some_keys(6, seed), some_rows(6, seed=seed))
    size = store.stats()["bytes"] // 4
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
    one, *_ = a_store(machine("one"))
    first = shards(one)[0]
    os.utime(first, (0, 0))
    one.write(some_keys(6, 1), some_rows(6, seed=1))
    (second,) = set(shards(one)) - {first}
    monkeypatch.setenv("GARGALO_CACHE_BYTES", str(first.stat().st_size * 2))
    machine("one")
    one.write(some_keys(6, 2), some_rows(6, seed=2))
    assert first not in shards(one)
    assert second in shards(one)


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
            shutil.rmtree(store.root)
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


def test_a_manifest_is_the_newest(machine):
    for seed in (1, 2):
        replace(PETS, seed=seed).write(machine("one"))
        assert datasets(machine("other")) == [PETS.name]
        assert Manifest.read(machine("other"), PETS.name).seed == seed


def test_a_run_is_read_with_its_model_and_gone_when_it_is_deleted(machine):
    run = publish(RunStore(machine("one")))
    other = RunStore(machine("other"))
    assert other.read(run.id) == run
    assert not (other.folder / run.id[:16] / "model").exists()
    assert run.id in other
    assert other.table().num_rows == 1
    remote_of(machine("one")).delete(machine("one") / "runs" / run.id[:16])
    with pytest.raises(NotInStore):
        other.read(run.id)
    assert not (other.folder / run.id[:16]).exists()


def test_a_run_without_its_record_is_not_there_yet(machine, monkeypatch):
    remote = remote_of(machine("one"))
    put = remote._put

    def cut(path, *arguments):
        if path.name == "run.json":
            raise OSError("cut off")
        put(path, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(remote, "_put", cut)
        with pytest.raises(OSError, match="cut off"):
            publish(RunStore(machine("one")))
    assert any(name.startswith("runs/") for name in objects(machine("one")))
    assert half_published(machine("one")) == [machine("one") / "runs" / RUN.id[:16]]
    for name in "one", "other":
        assert not list((machine(name) / "runs").glob("*/run.json"))
        assert not RunStore(machine(name)).verify()
    assert publish(RunStore(machine("other"))).id in RunStore(machine("one"))
    assert half_published(machine("one")) == []


def test_of_two_the_first_run_is_kept(machine):
    first = publish(RunStore(machine("one")))
    assert publish(RunStore(machine("other"))) == first
    assert first.id in RunStore(machine("other"))


def test_a_training_goes_on_from_another_machines_checkpoint(machine):
    def save(folder):
        (folder / "state.npz").write_bytes(b"weights")

    for epochs in (1, 2, 3):
        Checkpoints(machine("one"), RUN.id).publish([{"loss": 1.0}] * epochs, save=save)
    other = Checkpoints(machine("other"), RUN.id)
    assert other.latest().epochs == 3
    assert other.stats()["checkpoints"] == 2
    other.discard()
    assert unfinished(machine("one")) == []


def test_what_is_this_machines_alone_stays(machine):
    a_store(machine("one"))
    publish(RunStore(machine("one")))
    names = objects(machine("one"))
    assert not [name for name in names if {"tmp", "lock", "remote.json"} & set(name.split("/"))]


@pytest.mark.parametrize(
    "address",
    [
        "s3://key:secret@b/p",
        "s3://b/p?key=secret",
        "s3://secret@b",
        "gs://b#secret",
        "s3://u:secret@",
    ],
)
def test_credentials_in_an_address_are_refused_and_not_repeated(address):
    with pytest.raises(StoreRefused, match="belong in the environment") as caught:
        mirror_of(address)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("address", ["nope://a/b", "s3://", "://x", "simplecache::s3://b"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(StoreRefused, match="s3://bucket/prefix"):
        mirror_of(address)


def test_a_folders_address_is_the_folder(tmp_path):
    assert mirror_of(f"file://{tmp_path}") == tmp_path
    assert shown(tmp_path) == str(tmp_path)
    assert at_address(tmp_path) is None
    assert local_shard(tmp_path / "shard") == tmp_path / "shard"


def test_a_size_that_is_none_is_refused(machine, monkeypatch):
    monkeypatch.setenv("GARGALO_CACHE_BYTES", "20 GB")
    with pytest.raises(StoreRefused, match="GARGALO_CACHE_BYTES: expected a number of bytes"):
        machine()


def test_a_mirror_says_whose_it_is_and_no_secret(machine, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    mirror = machine()
    assert shown(mirror).startswith("memory://")
    assert "hidden" not in (mirror / "remote.json").read_text()


def test_another_process_has_a_mirror_of_its_own(machine, tmp_path):
    sent = [pickle.dumps(TravellingStore(store)) for store in (machine("one"), tmp_path)]
    other = machine("other")
    assert [pickle.loads(store) for store in sent] == [other, tmp_path]


def test_a_store_is_opened_by_its_address(machine):
    _, keys, rows = a_store(machine("one"))
    address = shown(machine("one"))
    machine("other")
    assert np.array_equal(FeatureStore.open(address).read(keys), rows)
    PETS.write(address)
    assert Manifest.read(address, "pets").digest == PETS.digest
    assert publish(RunStore(address)).id in RunStore(address)
    with pytest.raises(NotInStore, match=f"^'?{address}: no data set"):
        Manifest.read(address, "dogs")
