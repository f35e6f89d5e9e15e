import os
import shutil
import time

import numpy as np
import pytest

from stores import FeatureStore
from stores.features.shadowed import recipe_garbage
from stores.layout import locate
from stores.storage.garbage import collect, drafts
from stores.storage.publish import publish_folder
from tests.stores.storage.test_publish import HOLD_A_FOLDER, other_process
from tests.support.samples import (
    RECIPE,
    a_store,
    flip_row,
    fragments,
    quarantined,
    shards,
    snapshot,
    some_keys,
    some_rows,
)


@pytest.fixture
def later(monkeypatch):
    """Return a function after which the clock shows so many seconds more."""
    now = time.time

    def wait(seconds):
        monkeypatch.setattr("stores.storage.garbage.time.time", lambda: now() + seconds)

    return wait


def twins(root):
    """Return a store in which each row of the second shard stands in the first, too."""
    store, keys, rows = a_store(root)
    digests = [shards(store)[0].stem]
    for engine in "abcdefgh":
        digests.append(store.write(keys[:3], rows[:3], producer={"engine": engine}))
        if digests[-1] > digests[0]:
            return store, keys, rows, digests[-1]
        shards(store)[0].unlink()
        fragments(store)[0].unlink()
        store.missing(keys)
    raise AssertionError


def test_a_store_without_garbage_has_none(tmp_path):
    store, _, _ = a_store(tmp_path)
    store.write(some_keys(2, seed=1), some_rows(2))
    assert store.collect_garbage(grace_seconds=-1, delete=True) == []


def test_garbage_is_listed_before_it_is_deleted(tmp_path):
    store, _, _ = a_store(tmp_path)
    draft = store.folder / "tmp" / "dead.draft"
    draft.write_bytes(bytes(100))
    (garbage,) = store.collect_garbage(grace_seconds=-1)
    assert (garbage.path, garbage.size) == (draft, 100)
    assert "a writer that died" in garbage.reason
    assert draft.exists()
    assert store.collect_garbage(grace_seconds=-1, delete=True) == [garbage]
    assert not draft.exists()
    assert store.collect_garbage(grace_seconds=-1) == []


def test_nothing_younger_than_the_grace_time_is_taken(tmp_path, later):
    store, keys, rows, _ = twins(tmp_path)
    (store.folder / "tmp" / "dead.draft").touch()
    flip_row(store, 4)
    store.verify()
    store.write(keys[:3], rows[:3], producer={"engine": "later"})
    (store.folder / "index" / "orphan.parquet").touch()
    for path in store.folder.rglob("*"):
        os.utime(path, (0, 0))  # a copied file may have an old time of change
    later(3590)
    assert store.collect_garbage(delete=True) == []
    later(3610)
    assert len(store.collect_garbage()) >= 4


def test_a_living_writers_draft_is_not_taken(tmp_path, later):
    later(10_000)
    with other_process(HOLD_A_FOLDER, tmp_path) as process:
        assert list(drafts(locate(tmp_path / "tmp"))) == []
        process.kill()
        process.wait()
        (garbage,) = collect(drafts(locate(tmp_path / "tmp")), delete=True)
    assert garbage.path.suffix == ".draft"
    assert not list((tmp_path / "tmp").iterdir())


def test_a_dead_writers_folder_is_garbage_with_all_in_it(tmp_path):
    draft = tmp_path / "dead.draft"
    (draft / "model").mkdir(parents=True)
    (draft / "model" / "weights").write_bytes(bytes(1000))
    (garbage,) = collect(drafts(locate(tmp_path), grace_seconds=-1), delete=True)
    assert garbage.size == 1000
    assert not draft.exists()


def test_a_draft_that_is_published_meanwhile_is_no_garbage(tmp_path, monkeypatch):
    (tmp_path / "done.draft").touch()
    monkeypatch.setattr("stores.storage.garbage.is_leased", lambda draft: draft.unlink())
    assert list(drafts(locate(tmp_path), grace_seconds=-1)) == []


def test_what_is_no_draft_is_not_taken(tmp_path):
    (tmp_path / "notes.txt").touch()
    with publish_folder(tmp_path / "final", tmp=tmp_path):
        assert collect(drafts(locate(tmp_path), grace_seconds=-1), delete=True) == []
    assert (tmp_path / "notes.txt").exists()


def test_a_shadowed_shard_goes_and_all_is_read_as_before(tmp_path):
    store, keys, rows, shadowed = twins(tmp_path)
    (garbage,) = store.collect_garbage(grace_seconds=-1, delete=True)
    assert garbage.path.stem == shadowed
    assert "read from another shard" in garbage.reason
    for reader in store, FeatureStore(tmp_path, RECIPE):
        assert np.array_equal(reader.read(keys), rows)
    (orphan,) = store.collect_garbage(grace_seconds=-1, delete=True)
    assert orphan.path.stem == shadowed
    assert "without its shard" in orphan.reason
    assert len(fragments(store)) == len(shards(store)) == 1


def test_a_shadowed_shard_stays_while_its_twin_is_damaged(tmp_path):
    store, keys, rows, shadowed = twins(tmp_path)
    flip_row(store, 1)
    assert store.collect_garbage(grace_seconds=-1, delete=True) == []
    assert (store.folder / "shards" / f"{shadowed}.h5").exists()
    assert np.array_equal(FeatureStore(tmp_path, RECIPE).read(keys[:3]), rows[:3])


def test_damage_in_other_rows_of_the_twin_does_not_keep_a_shadowed_shard(tmp_path):
    store, keys, rows, shadowed = twins(tmp_path)
    flip_row(store, 5)
    (garbage,) = store.collect_garbage(grace_seconds=-1, delete=True)
    assert garbage.path.stem == shadowed
    assert np.array_equal(FeatureStore(tmp_path, RECIPE).read(keys[:3]), rows[:3])


def test_a_shard_with_one_row_of_its_own_stays(tmp_path):
    store, keys, rows, shadowed = twins(tmp_path)
    (store.folder / "shards" / f"{shadowed}.h5").unlink()
    store.write(
        np.concatenate([keys[:3], some_keys(1, seed=9)]), np.concatenate([rows[:3], rows[:1]])
    )
    found = store.collect_garbage(grace_seconds=-1, delete=True)
    assert [path.path.suffix for path in found] == [".parquet"]
    assert np.array_equal(store.read(keys), rows)


def test_two_collectors_at_once_lose_nothing(tmp_path):
    store, keys, rows, _ = twins(tmp_path)
    other = FeatureStore(tmp_path, RECIPE)
    found = other.collect_garbage(grace_seconds=-1)
    store.collect_garbage(grace_seconds=-1, delete=True)
    assert collect(found, delete=True) == found
    assert np.array_equal(other.read(keys), rows)


def test_quarantined_files_go_at_last(tmp_path):
    store, keys, rows = a_store(tmp_path)
    flip_row(store, 0)
    store.verify()
    (garbage,) = store.collect_garbage(grace_seconds=-1, delete=True)
    assert "quarantined" in garbage.reason
    assert not quarantined(store)
    assert np.array_equal(store.read(keys[1:]), rows[1:])


def test_a_quarantined_shard_is_not_said_to_be_elsewhere(tmp_path):
    store, _, _ = a_store(tmp_path)
    fragments(store)[0].unlink()
    flip_row(store, 0)
    assert FeatureStore(tmp_path, RECIPE).missing(some_keys(6)).all()  # without an index, all goes
    (garbage,) = store.collect_garbage(grace_seconds=-1)
    assert garbage.reason.endswith("its whole rows were kept where it had an index")


def test_listing_changes_nothing(tmp_path):
    store, _, _, _ = twins(tmp_path)
    (store.folder / "tmp" / "dead.draft").touch()
    before = snapshot(tmp_path)
    assert len(store.collect_garbage(grace_seconds=-1)) == 2
    assert snapshot(tmp_path) == before


def test_a_twin_deleted_meanwhile_shadows_nothing(tmp_path):
    store, _, _, shadowed = twins(tmp_path)
    reader = FeatureStore(tmp_path, RECIPE)
    reader.missing([])
    shards(store)[0].unlink()
    found = recipe_garbage(reader._index, grace_seconds=-1)
    assert f"{shadowed}.h5" not in {garbage.path.name for garbage in found}


def test_without_a_store_there_is_no_garbage(tmp_path):
    shutil.rmtree(tmp_path)
    assert FeatureStore(tmp_path, RECIPE).collect_garbage(grace_seconds=-1, delete=True) == []
