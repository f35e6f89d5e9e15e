import hashlib
import logging
import os
import shutil

import h5py
import numpy as np
import pytest

from stores import FeatureStore, MissingFeatures, NewerFormat
from stores.features.index_fragments import FRAGMENT_VERSION
from stores.storage.stamped_parquet import read_table, table_bytes
from tests.support.samples import (
    FLOAT16,
    RECIPE,
    a_store,
    flip,
    fragments,
    quarantined,
    shards,
    snapshot,
    some_keys,
    some_rows,
)


def reader(tmp_path):
    return FeatureStore(tmp_path, RECIPE)


def rewrite(
    path, *, kind="index fragment", version=FRAGMENT_VERSION, order=None, keys=None, **changes
):
    """Change a fragment and give it a right digest again."""
    table, about = read_table(path, kind="index fragment", version=FRAGMENT_VERSION)
    table = table if order is None else table.take(order)
    if keys is not None:  # they alone change places
        table = table.set_column(0, "key", table["key"].take(keys))
    content = table_bytes(table, kind=kind, version=version, metadata=about | changes)
    path.write_bytes(content)


def test_a_fragment_says_what_its_shard_holds(tmp_path):
    store, keys, _ = a_store(tmp_path)
    table, about = read_table(fragments(store)[0], kind="index fragment", version=2)
    with h5py.File(shards(store)[0]) as file:
        assert about["offset"] == file["features"].id.get_offset()
        assert table["row_checksum"].to_pylist() == file["row_checksum"][:].tolist()
    assert table["key"].to_pylist() == [key.tobytes() for key in keys]
    assert table["view"].to_pylist() == [0] * 6
    assert about["size"] == shards(store)[0].stat().st_size
    assert (about["digest"], about["recipe"]) == (shards(store)[0].stem, RECIPE.fingerprint)
    assert (about["dtype"], about["shape"], about["producer"]) == ("<f4", [8], {"engine": "keras"})


def test_a_deleted_index_comes_back_as_it_was(tmp_path):
    store, keys, rows = a_store(tmp_path)
    store.write(some_keys(3, seed=1), some_rows(3, seed=1), views=4)
    before = [path.read_bytes() for path in fragments(store)]
    shutil.rmtree(store.folder / "index")
    assert not reader(tmp_path).missing(keys).any()
    assert [path.read_bytes() for path in fragments(store)] == before
    assert np.array_equal(reader(tmp_path).read(keys), rows)
    assert not reader(tmp_path).missing(some_keys(3, seed=1), views=4).any()


def test_a_whole_fragment_is_not_written_again(tmp_path):
    store, _, _ = a_store(tmp_path)
    before = snapshot(store.folder)
    reader(tmp_path).missing([])
    assert snapshot(store.folder) == before


def test_reindex_makes_all_fragments_again(tmp_path):
    store, keys, rows = a_store(tmp_path)
    store.write(some_keys(3, seed=1), some_rows(3, seed=1))
    content = [path.read_bytes() for path in fragments(store)]
    fragments(store)[0].write_text("damaged")
    (store.folder / "index" / "stray.parquet").write_text("belongs to nothing")
    assert store.reindex() == 2
    assert [path.read_bytes() for path in fragments(store)] == content
    assert np.array_equal(store.read(keys), rows)


@pytest.mark.parametrize("damage", [b"", b"no Parquet", b"PAR1"])
def test_a_damaged_fragment_is_said_and_made_again(tmp_path, caplog, damage):
    store, keys, rows = a_store(tmp_path)
    whole = fragments(store)[0].read_bytes()
    fragments(store)[0].write_bytes(damage)
    assert np.array_equal(reader(tmp_path).read(keys), rows)
    assert fragments(store)[0].read_bytes() == whole
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.name == "gargalo.store"
    assert "made again" in record.getMessage()


def test_a_fragment_of_another_shard_is_made_again(tmp_path, caplog):
    store, keys, rows = a_store(tmp_path)
    store.write(some_keys(6, seed=1), some_rows(6, seed=1))
    one, other = fragments(store)
    whole = one.read_bytes()
    one.write_bytes(other.read_bytes())
    assert np.array_equal(reader(tmp_path).read(keys), rows)
    assert np.array_equal(reader(tmp_path).read(some_keys(6, seed=1)), some_rows(6, seed=1))
    assert one.read_bytes() == whole
    assert "another shard" in caplog.text


@pytest.mark.parametrize(
    "lie",
    [
        {"order": [1, 0, 2, 3, 4, 5]},
        {"order": [1, 2, 3, 4, 5, 0]},
        {"keys": [1, 0, 2, 3, 4, 5]},
        {"offset": 0},
        {"offset": 5001},
        {"offset": 2**40},
        {"shape": [2, 4, 9]},
        {"shape": [4]},
        {"size": 1},
    ],
)
def test_a_fragment_that_lies_costs_nothing(tmp_path, lie):
    store, keys, rows = a_store(tmp_path)
    whole = fragments(store)[0].read_bytes()
    rewrite(fragments(store)[0], **lie)
    store = reader(tmp_path)
    assert np.array_equal(store.read(keys[1:2]), rows[1:2])
    assert np.array_equal(store.read(keys), rows)
    assert fragments(store)[0].read_bytes() == whole
    assert not quarantined(store)


def test_a_fragment_that_withholds_a_row_gives_no_wrong_one(tmp_path):
    store, keys, rows = a_store(tmp_path)
    rewrite(fragments(store)[0], order=[0, 0, 2, 3, 4, 5])
    assert np.flatnonzero(reader(tmp_path).missing(keys)).tolist() == [1]
    assert np.array_equal(reader(tmp_path).read(keys[2:]), rows[2:])
    reader(tmp_path).reindex()
    assert np.array_equal(reader(tmp_path).read(keys), rows)


def test_a_newer_fragment_is_refused(tmp_path):
    store, keys, _ = a_store(tmp_path)
    rewrite(fragments(store)[0], version=FRAGMENT_VERSION + 1)
    before = snapshot(store.folder)
    with pytest.raises(NewerFormat, match=r"index fragment of format version 3.*update gargalo"):
        reader(tmp_path).read(keys)
    assert snapshot(store.folder) == before


def test_a_newer_shard_under_an_index_that_lies_is_skipped_and_left_alone(
    tmp_path, monkeypatch, caplog
):
    store, keys, _ = a_store(tmp_path)
    rewrite(fragments(store)[0], keys=[1, 0, 2, 3, 4, 5])
    before = snapshot(store.folder)
    monkeypatch.setattr("stores.features.shard.SHARD_VERSION", 1)
    with pytest.raises(MissingFeatures):
        reader(tmp_path).read(keys)
    assert "skipped, and left as it is" in caplog.text
    assert snapshot(store.folder) == before


def test_a_fragment_without_its_shard_is_no_feature(tmp_path):
    store, keys, _ = a_store(tmp_path)
    shards(store)[0].unlink()
    assert store.missing(keys).all()
    assert reader(tmp_path).missing(keys).all()
    with pytest.raises(MissingFeatures):
        reader(tmp_path).read(keys)


@pytest.mark.parametrize("with_index", [True, False])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("size", [0, 1, 5000, -1])
def test_a_cut_shard_is_missing_and_said(tmp_path, caplog, with_index, known, size):
    store, keys, rows = a_store(tmp_path)
    store.write(some_keys(2, seed=1), some_rows(2, seed=1))
    cut = store.write(some_keys(2, seed=2), some_rows(2, seed=2))
    path = store.folder / "shards" / f"{cut}.h5"
    assert not known or len(store.read(some_keys(2, seed=2)))
    os.truncate(path, size % path.stat().st_size)
    if not with_index:
        shutil.rmtree(store.folder / "index")
    store = store if known else reader(tmp_path)
    assert store.missing(some_keys(2, seed=2)).all()
    assert np.array_equal(store.read(keys), rows)
    assert [path.stem for path in quarantined(store)] == [cut]
    assert len([record for record in caplog.records if cut[:12] in record.getMessage()]) == 1


def test_a_lengthened_shard_is_set_aside(tmp_path):
    store, keys, _ = a_store(tmp_path)
    with shards(store)[0].open("ab") as file:
        file.write(b"tail")
    assert reader(tmp_path).missing(keys).all()
    assert len(quarantined(store)) == 1


def test_foreign_files_are_no_features(tmp_path):
    store, keys, rows = a_store(tmp_path)
    (store.folder / "shards" / "notes.txt").write_text("mine")
    (store.folder / "shards" / "notes.h5").write_text("mine too")
    (store.folder / "shards" / f"{'0' * 64}.h5").symlink_to("nowhere")
    shutil.copy(shards(store)[-1], store.folder / "shards" / "copy.h5")
    (store.folder / "index" / "notes.parquet").write_text("mine")
    store = reader(tmp_path)
    assert np.array_equal(store.read(keys), rows)
    assert store.stats().shards == 1
    assert (store.folder / "shards" / "notes.txt").exists()


def test_a_shard_under_another_digest_is_set_aside(tmp_path):
    store, keys, _ = a_store(tmp_path)
    shards(store)[0].rename(store.folder / "shards" / f"{'a' * 64}.h5")
    assert reader(tmp_path).missing(keys).all()
    assert [path.stem for path in quarantined(store)] == ["a" * 64]


def test_a_shard_of_another_recipe_is_set_aside(tmp_path):
    store, keys, rows = a_store(tmp_path)
    other, others_keys, _ = a_store(tmp_path, recipe=FLOAT16, seed=1)
    for path in [*shards(other), *fragments(other)]:
        shutil.copy(path, store.folder / path.parent.name)
    store = reader(tmp_path)
    assert store.missing(others_keys).all()
    assert np.array_equal(store.read(keys), rows)
    assert [path.name for path in quarantined(store)] == [path.name for path in shards(other)]


def test_a_not_hdf5_file_with_a_right_digest_is_set_aside(tmp_path):
    store, keys, rows = a_store(tmp_path)
    digest = hashlib.sha256(b"no shard").hexdigest()
    (store.folder / "shards" / f"{digest}.h5").write_bytes(b"no shard")
    assert np.array_equal(store.read(keys), rows)
    assert [path.stem for path in quarantined(store)] == [digest]


def test_a_shard_that_came_back_after_a_flip_is_read_again(tmp_path):
    store, keys, rows = a_store(tmp_path)
    path = shards(store)[0]
    content = path.read_bytes()
    flip(path, len(content) - 1)
    with pytest.raises(MissingFeatures):
        store.read(keys)
    path.write_bytes(content)
    assert np.array_equal(store.read(keys), rows)
