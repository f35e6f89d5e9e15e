import gc
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores import FeatureStore
from stores.keys import _ODD
from tests.stores.features.test_index import rewrite
from tests.support.samples import (
    FLOAT16,
    RECIPE,
    a_store,
    few,
    flip,
    flip_row,
    quarantined,
    shards,
    some_keys,
    some_rows,
)

PAGE = 4096  # the least that is common; others have 16 or 64 KiB


def mapped_files():
    return {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines()}


@few
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=5),
    st.sampled_from([(1,), (3,), (8,), (2, 3, 7), (4, 4, 256), (1024,), (5, 409)]),
    st.sampled_from([RECIPE, FLOAT16]),
    st.sampled_from([PAGE, 4 * PAGE, 16 * PAGE]),
    st.sampled_from([1, 1000, 2**20]),
    st.data(),
)
def test_rows_of_many_shards_are_those_written(counts, shape, recipe, page, part_bytes, data):
    with tempfile.TemporaryDirectory() as root, pytest.MonkeyPatch.context() as patch:
        patch.setattr("stores.features.mapped_shards._PAGE", page)
        patch.setattr("stores.features.mapped_shards._PART_BYTES", part_bytes)
        patch.setattr("stores.features.mapped_shards._WORTH_TAKING_WHOLE", 3)
        store, total = FeatureStore(root, recipe), sum(counts)
        keys, rows = some_keys(total), some_rows(total, shape, recipe.dtype)
        for part in np.split(np.arange(total), np.cumsum(counts)[:-1]):
            store.write(keys[part], rows[part])
        chosen = np.array(data.draw(st.lists(st.integers(0, total - 1), max_size=30)), np.int64)
        assert np.array_equal(store.read(keys[chosen]), rows[chosen])
        amid = np.concatenate([chosen, np.arange(total), chosen])
        assert np.array_equal(store.read(keys[amid]), rows[amid])


# Keys that share the eight bytes that they are looked up by, and some of which have the number of
# another's view.
forged = st.builds(
    lambda word, of_view, end: (
        (word ^ (of_view * int(_ODD)) % 2**64).to_bytes(8) + bytes([end] * 24)
    ),
    st.integers(0, 1),
    st.integers(0, 2),
    st.integers(0, 1),
)


@few
@given(st.sets(st.tuples(forged, st.integers(0, 2)), min_size=1), st.data())
def test_an_identity_is_found_among_forged_ones(written, data):
    everyone = st.tuples(forged, st.integers(0, 2))
    wanted = data.draw(st.lists(everyone | st.sampled_from(sorted(written)), min_size=1))
    with tempfile.TemporaryDirectory() as root, pytest.MonkeyPatch.context() as patch:
        patch.setattr("stores.features.mapped_shards._COMPARED_AT_ONCE", 2)
        store = FeatureStore(root, RECIPE)
        keys, views = zip(*sorted(written), strict=True)
        rows = some_rows(len(keys))
        store.write(keys, rows, views=np.array(views))
        missing = store.missing([key for key, _ in wanted], views=np.array([v for _, v in wanted]))
        assert missing.tolist() == [one not in written for one in wanted]
        assert np.array_equal(store.read(keys, views=np.array(views)), rows)


@few
@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.integers(1, 9), st.data())
def test_parts_are_all_places_in_order_and_name_the_shards_that_are_whole(counts, rows, data):
    with tempfile.TemporaryDirectory() as root, pytest.MonkeyPatch.context() as patch:
        store = FeatureStore(root, RECIPE)
        for seed, count in enumerate(counts):
            store.write(some_keys(count, seed), some_rows(count, seed=seed))
        joined = store._index.joined
        patch.setattr("stores.features.mapped_shards._PART_BYTES", (rows - 1) * joined.row_bytes)
        patch.setattr("stores.features.mapped_shards._WORTH_TAKING_WHOLE", 3)
        chosen = st.lists(st.integers(0, sum(counts) - 1), max_size=9)
        drawn = data.draw(chosen), range(sum(counts)), data.draw(chosen)
        places = np.concatenate([np.array(some, np.int64) for some in drawn])
        cut = [(places[positions], whole) for positions, whole in joined.parts(places)]
        assert np.array_equal(np.concatenate([part for part, _ in cut]), places)
        assert all(len(part) <= rows for part, whole in cut if not whole)
        for shard, start in zip(joined.shards, joined.starts, strict=False):
            wholes = [part.tolist() for part, whole in cut if whole is shard]
            every = list(range(start, start + len(shard.keys)))
            assert all(part == every for part in wholes)
            assert bool(wholes) == (len(every) >= 3)


@pytest.mark.parametrize("number", [0, 40, 80])
def test_a_bad_row_in_the_part_of_any_thread_is_found(tmp_path, monkeypatch, number):
    monkeypatch.setattr("stores.features.mapped_shards._PART_BYTES", 100)
    store, keys, _ = a_store(tmp_path, 81)
    flip_row(store, number)
    with pytest.raises(KeyError, match="1 of 81"):
        store.read(keys)


@pytest.mark.parametrize("number", [0, 299])
@pytest.mark.parametrize("step", [1, 2, -1])
def test_a_bad_row_of_a_large_shard_is_found_however_it_is_read(tmp_path, number, step):
    store, keys, rows = a_store(tmp_path, 300)
    flip_row(store, number)
    wanted = np.arange(300)[::step]
    if number in wanted:
        with pytest.raises(KeyError, match="1 of"):
            store.read(keys[wanted])
        assert len(quarantined(store)) == 1
    kept = wanted[wanted != number]
    assert np.array_equal(store.read(keys[kept]), rows[kept])


def test_a_whole_shard_is_not_believed_for_other_images(tmp_path):
    store, keys, rows = a_store(tmp_path, 300)
    fragment = next((store.folder / "index").iterdir())
    lie = np.roll(np.arange(300), 1)
    rewrite(fragment, keys=lie)
    assert np.array_equal(FeatureStore(tmp_path, RECIPE).read(keys[lie]), rows[lie])


def test_an_index_that_gives_rows_another_shape_harms_no_other_shard(tmp_path, caplog):
    store, keys, rows = a_store(tmp_path)
    store.write(some_keys(2, seed=1), some_rows(2, seed=1))
    for fragment in sorted((store.folder / "index").iterdir())[:1]:
        rewrite(fragment, shape=[4])
    reader = FeatureStore(tmp_path, RECIPE)
    assert np.array_equal(reader.read(keys), rows)
    assert np.array_equal(reader.read(some_keys(2, seed=1)), some_rows(2, seed=1))
    assert not quarantined(store)
    assert "several shapes" in caplog.text
    caplog.clear()
    assert np.array_equal(FeatureStore(tmp_path, RECIPE).read(keys), rows)
    assert not caplog.records  # it was made again for others too


def test_only_the_files_that_are_read_are_mapped_and_none_for_longer_than_the_store(tmp_path):
    store, keys, _ = a_store(tmp_path)
    store.write(some_keys(2, seed=1), some_rows(2, seed=1))
    paths = {str(path) for path in shards(store)}
    store.read(keys)
    assert len(paths & mapped_files()) == 1
    store.read(some_keys(2, seed=1))
    assert paths <= mapped_files()
    del store
    gc.collect()
    assert not paths & mapped_files()


def test_what_is_returned_stays_when_the_files_go(tmp_path):
    store, keys, rows = a_store(tmp_path)
    read = store.read(keys)
    flip(shards(store)[0], shards(store)[0].stat().st_size - 1)
    del store
    assert np.array_equal(read, rows)
    read[:] = 0  # it is the caller's own
