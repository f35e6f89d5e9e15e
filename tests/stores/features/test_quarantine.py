import logging
import shutil

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores import FeatureStore, MissingFeatures
from stores.features.quarantine import check_rows
from tests.support.samples import (
    RECIPE,
    a_store,
    few,
    flip,
    flip_row,
    fragments,
    quarantined,
    shards,
    some_keys,
    some_rows,
)


def warnings_in(caplog):
    assert {record.name for record in caplog.records} <= {"gargalo.store"}
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("number", [0, 3, 5])
def test_a_bad_row_costs_that_row_only(tmp_path, caplog, number, known):
    store, keys, rows = a_store(tmp_path)
    assert not known or len(store.read(keys))
    flip_row(store, number)
    store = store if known else FeatureStore(tmp_path, RECIPE)
    with pytest.raises(MissingFeatures, match="1 of 6 features"):
        store.read(keys)
    assert np.flatnonzero(store.missing(keys)).tolist() == [number]
    rest = np.delete(np.arange(6), number)
    assert np.array_equal(store.read(keys[rest]), rows[rest])
    (warning,) = warnings_in(caplog)
    assert f"row {number} has checksum" in warning
    assert "quarantined, the next extract recomputes" in warning


def test_the_damaged_file_is_kept_for_a_look(tmp_path):
    store, keys, _ = a_store(tmp_path)
    flip_row(store, 2)
    damaged = shards(store)[0].read_bytes()
    with pytest.raises(MissingFeatures):
        store.read(keys)
    (path,) = quarantined(store)
    assert path.read_bytes() == damaged
    assert len(shards(store)) == len(fragments(store)) == 1
    assert store.stats().quarantined == 1


def test_after_a_recomputation_all_is_as_before(tmp_path, caplog):
    store, keys, rows = a_store(tmp_path)
    flip_row(store, 2)
    store.verify()
    lost = store.missing(keys)
    store.write(keys[lost], rows[lost])
    caplog.clear()
    for reader in store, FeatureStore(tmp_path, RECIPE):
        assert np.array_equal(reader.read(keys), rows)
        assert reader.verify() == []
    assert warnings_in(caplog) == []


def test_the_rest_keeps_its_producer_and_views(tmp_path):
    store, keys, rows = FeatureStore(tmp_path, RECIPE), some_keys(4), some_rows(4)
    store.write(keys, rows, views=np.arange(4), producer={"engine": "openvino"})
    flip_row(store, 1)
    store.verify()
    assert store.producers() == [{"engine": "openvino", "agreement": None}]
    assert store.missing(keys, views=np.arange(4)).tolist() == [False, True, False, False]


@few
@given(st.sets(st.integers(0, 5), min_size=1))
def test_any_bad_rows_are_exactly_what_is_lost(tmp_path_factory, numbers):
    root = tmp_path_factory.mktemp("store")
    store, keys, rows = a_store(root)
    for number in numbers:
        flip_row(store, number)
    assert len(FeatureStore(root, RECIPE).verify()) == 1
    assert set(np.flatnonzero(store.missing(keys))) == numbers
    rest = np.array(sorted(set(range(6)) - numbers), int)
    assert store.read(keys[rest]).tobytes() == rows[rest].tobytes()


def test_only_what_is_read_is_checked(tmp_path, caplog):
    store, keys, rows = a_store(tmp_path)
    flip_row(store, 2)
    assert np.array_equal(store.read(keys[3:]), rows[3:])
    assert warnings_in(caplog) == []


@pytest.mark.usefixtures("one_by_one")
def test_a_bad_row_among_batches_ends_them(tmp_path):
    store, keys, rows = a_store(tmp_path)
    flip_row(store, 3)
    batches = store.batches(keys, batch_size=2)
    assert np.array_equal(next(batches)[1], rows[:2])
    with pytest.raises(MissingFeatures, match="1 of"):
        next(batches)


def metadata_byte(path):
    """Return the place of a byte of the recipe, which stands in HDF5's metadata."""
    return path.read_bytes().index(b"bilinear")


@pytest.mark.parametrize("verb", ["verify", "reindex"])
def test_damage_outside_the_rows_is_found_and_costs_nothing(tmp_path, caplog, verb):
    store, keys, rows = a_store(tmp_path)
    path = shards(store)[0]
    content = path.read_bytes()
    flip(path, metadata_byte(path))
    assert np.array_equal(FeatureStore(tmp_path, RECIPE).read(keys), rows)
    found = getattr(FeatureStore(tmp_path, RECIPE), verb)()
    assert found == 1 if verb == "reindex" else "the file's digest is" in found[0]
    assert path.read_bytes() == content  # the same rows make the same file
    assert not quarantined(store)
    assert np.array_equal(FeatureStore(tmp_path, RECIPE).read(keys), rows)
    (warning,) = warnings_in(caplog)
    assert "nothing was lost" in warning


def test_reindex_loses_no_more_than_the_bad_row(tmp_path):
    store, keys, _ = a_store(tmp_path)
    flip_row(store, 4)
    assert FeatureStore(tmp_path, RECIPE).reindex() == 1
    assert np.flatnonzero(store.missing(keys)).tolist() == [4]


def test_without_its_index_a_damaged_shard_is_lost_as_a_whole(tmp_path, caplog):
    store, keys, _ = a_store(tmp_path)
    flip_row(store, 4)
    shutil.rmtree(store.folder / "index")
    assert FeatureStore(tmp_path, RECIPE).missing(keys).all()
    assert len(quarantined(store)) == len(warnings_in(caplog)) == 1


@pytest.mark.parametrize("name", ["key", "view", "row_checksum"])
def test_damage_beside_the_rows_costs_nothing_while_there_is_an_index(tmp_path, name):
    store, keys, rows = a_store(tmp_path)
    with h5py.File(shards(store)[0]) as file:
        offset = file[name].id.get_offset()
    flip(shards(store)[0], offset)
    assert len(FeatureStore(tmp_path, RECIPE).verify()) == 1
    assert np.array_equal(FeatureStore(tmp_path, RECIPE).read(keys), rows)


def test_a_shard_with_wrong_checksums_from_the_start_is_set_aside(tmp_path, monkeypatch):
    # As a defect of memory would leave it: the digest is right, the rows are not.
    store, keys = FeatureStore(tmp_path, RECIPE), some_keys(3)
    sums = np.array([1, 2, 3], np.uint64)
    monkeypatch.setattr("stores.features.shard.row_checksums", lambda *_: sums)
    store.write(keys, some_rows(3))
    monkeypatch.undo()
    with pytest.raises(MissingFeatures, match="3 of 3"):
        store.read(keys)
    assert len(quarantined(store)) == 1


def test_a_shard_that_another_process_has_mended_stays(tmp_path, caplog):
    store, keys, rows = a_store(tmp_path)
    content = shards(store)[0].read_bytes()
    flip_row(store, 1)
    damaged = store._index.joined.empty(6)
    store._index.joined.copy(np.arange(6), damaged)
    shards(store)[0].write_bytes(content)
    # As it was read a moment before.
    store._index.joined.copy = lambda _, into, **_options: np.copyto(into, damaged)
    assert np.array_equal(store.read(keys), rows)
    assert not quarantined(store)
    assert "the shard itself is whole" in warnings_in(caplog)[0]


def test_the_finding_says_the_first_row_and_how_many_more(tmp_path):
    store, _, rows = a_store(tmp_path)
    shard = next(iter(store._index))
    wrong = rows + np.array([0, 0, 1, 0, 1, 1], np.float32)[:, None]
    text = check_rows(RECIPE, shard, np.arange(6), shard.identities, wrong)
    assert f"shard {shard.digest[:12]}…: row 2 has checksum" in text
    assert "(and 2 more rows)" in text
    assert check_rows(RECIPE, shard, np.arange(6), shard.identities, rows) == ""
