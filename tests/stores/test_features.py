import errno
import hashlib
import logging
import os
import resource
import signal
import tempfile
from dataclasses import replace

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stores import (
    CorruptStore,
    FeatureStore,
    MissingFeatures,
    NewerFormat,
    NotInStore,
    StoreFull,
    StoreReadOnly,
    UnfitFeatures,
)
from stores.features import stored_recipes
from stores.shards import SHARD_VERSION
from tests.stores.samples import (
    FLOAT16,
    RECIPE,
    a_store,
    few,
    flip_row,
    fragments,
    in_child,
    quarantined,
    shards,
    snapshot,
    some_keys,
    some_rows,
)
from tests.stores.writers import KEYS, ROWS, at_once

_shapes = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)


@st.composite
def _contents(draw):
    """Draw a recipe, rows with their identities, and how they are cut into shards."""
    recipe = draw(st.sampled_from([RECIPE, FLOAT16]))
    views = draw(hnp.arrays(np.uint16, st.integers(1, 12), elements=st.integers(0, 3)))
    keys = some_keys(4)[draw(hnp.arrays(np.int64, len(views), elements=st.integers(0, 3)))]
    finite = {"allow_nan": False, "allow_infinity": False}
    rows = draw(hnp.arrays(recipe.dtype, (len(views), *draw(_shapes)), elements=finite))
    cuts = draw(st.lists(st.integers(1, len(views)), max_size=3))
    return recipe, keys, views, rows, sorted({0, *cuts, len(views)})


def first_of_each(keys, views):
    """Return the positions at which an identity stands for the first time."""
    known = {}
    for number, (key, view) in enumerate(zip(keys, views, strict=True)):
        known.setdefault((key.tobytes(), int(view)), number)
    return np.array(list(known.values()))


@few
@given(_contents(), st.data())
def test_what_is_written_is_read_in_any_order_and_number(contents, data):
    recipe, keys, views, rows, cuts = contents
    distinct = first_of_each(keys, views)
    keys, views, rows = keys[distinct], views[distinct], rows[distinct]
    with tempfile.TemporaryDirectory() as root:
        store = FeatureStore(root, recipe)
        for part in filter(len, np.split(np.arange(len(keys)), cuts[1:-1])):
            store.write(keys[part], rows[part], views=views[part])
        wanted = data.draw(hnp.arrays(np.int64, 9, elements=st.integers(0, len(keys) - 1)))
        for reader in store, FeatureStore(root, recipe):
            read = reader.read(keys[wanted], views=views[wanted])
            assert read.tobytes() == rows[wanted].tobytes()
            assert read.dtype == rows.dtype


@few
@given(_contents(), hnp.arrays(np.uint16, 6, elements=st.integers(0, 4)))
def test_missing_is_exactly_what_was_not_written(contents, asked):
    recipe, keys, views, rows, _ = contents
    wanted = np.concatenate([keys, some_keys(6)])
    asked = np.concatenate([views, asked])
    with tempfile.TemporaryDirectory() as root:
        store = FeatureStore(root, recipe)
        assert store.missing(wanted, views=asked).all()
        store.write(keys, rows, views=views)
        there = {(k.tobytes(), v) for k, v in zip(keys, views, strict=True)}
        missing = [(k.tobytes(), v) not in there for k, v in zip(wanted, asked, strict=True)]
        assert store.missing(wanted, views=asked).tolist() == missing
        assert FeatureStore(root, recipe).missing(wanted, views=asked).tolist() == missing


@few
@given(
    st.integers(1, 20),
    st.integers(1, 25),
    st.none() | st.integers(0, 2**32),
    st.lists(st.integers(0, 5), max_size=20),
)
def test_batches_are_a_permutation_of_read(count, batch_size, seed, numbers):
    with tempfile.TemporaryDirectory() as root:
        store, keys, _ = a_store(root)
        store.write(some_keys(5, seed=1), some_rows(5, seed=1))
        wanted = np.concatenate([keys, some_keys(5, seed=1)])[[*numbers, *range(count % 12)]]
        batches = list(store.batches(wanted, batch_size=batch_size, shuffle_seed=seed))
        positions = np.concatenate([np.empty(0, int), *(places for places, _ in batches)])
        assert sorted(positions) == list(range(len(wanted)))
        assert seed is not None or list(positions) == sorted(positions)
        assert all(len(rows) == batch_size for _, rows in batches[:-1])
        for places, rows in batches:
            assert np.array_equal(rows, store.read(wanted[places]))


def test_a_seed_shuffles_always_alike_and_another_otherwise(tmp_path):
    store, keys, _ = a_store(tmp_path, 50)

    def order(seed):
        batches = store.batches(keys, batch_size=7, shuffle_seed=seed)
        return np.concatenate([positions for positions, _ in batches]).tolist()

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert order(1) != list(range(50))


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_has_at_least_one_row(tmp_path, size):
    store, keys, _ = a_store(tmp_path)
    with pytest.raises(ValueError, match="batch_size"):
        list(store.batches(keys, batch_size=size))


def test_batches_ask_for_all_before_the_first(tmp_path):
    store, keys, _ = a_store(tmp_path)
    with pytest.raises(MissingFeatures):
        next(store.batches([*keys, bytes(32)], batch_size=1))


def test_no_keys_give_no_rows_of_the_right_shape(tmp_path):
    store, _, _ = a_store(tmp_path)
    assert store.read([]).shape == (0, 8)
    assert store.read([]).dtype == np.float32
    assert FeatureStore(tmp_path / "new", RECIPE).read([]).shape[0] == 0
    assert list(store.batches([], batch_size=3)) == []
    assert store.missing([]).tolist() == []


def test_the_rows_read_are_the_callers_own(tmp_path):
    store, keys, rows = a_store(tmp_path)
    read = store.read(keys)
    read[:] = 0
    assert np.array_equal(store.read(keys), rows)
    assert type(read) is np.ndarray


def test_the_callers_keys_may_change_afterwards(tmp_path):
    store, keys, rows = FeatureStore(tmp_path, RECIPE), some_keys(3), some_rows(3)
    mine = keys.copy()
    store.write(mine, rows)
    mine[:] = 0
    assert np.array_equal(store.read(keys), rows)


def test_missing_features_say_how_many_and_which_first(tmp_path):
    store, keys, _ = a_store(tmp_path)
    with pytest.raises(MissingFeatures, match=r"2 of 8 features.*image 000000000000….*extract"):
        store.read([*keys[:3], bytes(32), *keys[3:], b"\1" * 32])


def test_nothing_is_created_before_the_first_write(tmp_path):
    store = FeatureStore(tmp_path / "store", RECIPE)
    assert store.missing([bytes(32)]).all()
    assert store.verify() == []
    assert store.reindex() == 0
    assert store.collect_garbage(delete=True) == []
    assert store.stats()["features"] == len(store.stored_keys()) == 0
    assert stored_recipes(tmp_path / "store") == []
    with pytest.raises(MissingFeatures):
        store.read([bytes(32)])
    assert not list(tmp_path.iterdir())


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

    def full(*_):
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

    def full_for_the_index(source, target):
        if target.suffix == ".parquet":
            raise OSError(errno.ENOSPC, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(os, "rename", full_for_the_index)
    store.write(some_keys(5, seed=2), some_rows(5, seed=2))
    assert len(shards(store)) == len(fragments(store)) + 1
    monkeypatch.undo()
    assert np.array_equal(FeatureStore(tmp_path, RECIPE).read(keys), rows)
    assert len(shards(store)) == len(fragments(store)) == 2


@pytest.mark.parametrize(
    "rows",
    [
        some_rows(5),
        some_rows(6, (7,)),
        some_rows(6, (8, 1)),
        np.full((6, 8), np.nan, np.float32),
        np.full((6, 8), np.inf, np.float32),
    ],
)
@pytest.mark.parametrize("fresh", [True, False])
def test_unfit_rows_leave_no_trace(tmp_path, rows, fresh):
    store, _, _ = a_store(tmp_path)
    before = snapshot(tmp_path)
    store = FeatureStore(tmp_path, RECIPE) if fresh else store
    with pytest.raises(UnfitFeatures):
        store.write(some_keys(6, seed=1), rows)
    assert snapshot(tmp_path) == before


def test_rows_too_large_for_float16_leave_no_trace(tmp_path):
    store = FeatureStore(tmp_path / "store", FLOAT16)
    with pytest.raises(UnfitFeatures, match="65504"):
        store.write(some_keys(2), np.full((2, 3), 1e5))
    with pytest.raises(UnfitFeatures, match="at least 1"):
        store.write([], np.zeros((0, 3)))
    assert not list(tmp_path.iterdir())


def test_recipes_do_not_mix(tmp_path):
    store, keys, _ = a_store(tmp_path)
    other = FeatureStore(tmp_path, replace(RECIPE, tap="other"))
    assert other.missing(keys).all()
    other.write(keys[:2], some_rows(2, (3,)))
    assert other.missing(keys).tolist() == [False, False, True, True, True, True]
    assert not store.missing(keys).any()
    assert len(stored_recipes(tmp_path)) == 2


def test_a_store_is_opened_by_the_beginning_of_a_fingerprint(tmp_path):
    a_store(tmp_path)
    assert FeatureStore.open(tmp_path).recipe == RECIPE
    a_store(tmp_path, recipe=FLOAT16)
    assert FeatureStore.open(tmp_path, FLOAT16.fingerprint[:9]).recipe == FLOAT16
    with pytest.raises(NotInStore, match=r"found 2; in the store: .*mobilenet_v2 96×128"):
        FeatureStore.open(tmp_path)
    with pytest.raises(NotInStore, match="found 0"):
        FeatureStore.open(tmp_path, "x")


def test_stats_count(tmp_path):
    store, keys, rows = a_store(tmp_path)
    store.write(keys[:2], rows[:2], producer={"engine": "openvino", "agreement": 1e-6})
    store.write(some_keys(1, seed=7), rows[:1], producer={"engine": "openvino", "agreement": 1e-7})
    stats = FeatureStore.open(tmp_path).stats()
    assert stats["features"] == 7
    assert stats["shards"] == 3
    assert stats["bytes"] == sum(path.stat().st_size for path in shards(store))
    assert stats["feature_shape"] == [8]
    assert [producer["engine"] for producer in stats["producers"]] == ["keras", "openvino"]


def test_keys_are_those_of_view_0(tmp_path):
    store, keys, rows = a_store(tmp_path)
    store.write(some_keys(2, seed=1), rows[:2], views=1)
    assert np.array_equal(FeatureStore.open(tmp_path).stored_keys(), keys)


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
    assert store.stats()["features"] == 60
    assert store.verify() == []
    assert len(shards(store)) == len(fragments(store)) == 13
    assert not list((store.folder / "tmp").iterdir())


def two_shards(root):
    """Return a store with two shards of 3 rows, the keys and rows in the order of the shards."""
    store, keys, rows = FeatureStore(root, RECIPE), some_keys(6), some_rows(6)
    parts = [slice(0, 3), slice(3, 6)]
    order = sorted(parts, key=lambda part: store.write(keys[part], rows[part]))
    return store, *(np.concatenate([array[part] for part in order]) for array in (keys, rows))


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


def test_a_shard_quarantined_under_a_reader_is_read_from_its_rest(tmp_path):
    store, keys, rows = two_shards(tmp_path)
    batches = store.batches(keys[:5], batch_size=3)
    read = [next(batches)[1]]
    flip_row(store, 2, shard=1)
    assert len(FeatureStore(tmp_path, RECIPE).verify()) == 1
    read += [batch for _, batch in batches]
    assert np.array_equal(np.concatenate(read), rows[:5])


@pytest.mark.parametrize("mapped", [True, False])
def test_a_shard_cut_under_a_reader_is_missing_and_no_crash(tmp_path, mapped):
    store, keys, _ = two_shards(tmp_path)
    batches = store.batches(keys, batch_size=3)
    next(batches)
    assert not mapped or len(store.read(keys))
    os.truncate(shards(store)[1], 5000)
    with pytest.raises(MissingFeatures, match=r"3 of [36]"):
        in_child(lambda: store.read(keys) if mapped else next(batches))


def test_the_store_may_be_used_between_batches(tmp_path, caplog):
    store, keys, rows = a_store(tmp_path)
    batches = store.batches(keys, batch_size=2)
    read = [next(batches)[1]]
    first, seed = shards(store)[0].stem, 1
    while store.write(some_keys(4, seed), some_rows(4, seed=seed)) > first:
        seed += 1  # until a shard comes before the one that is read
    store.missing(keys)
    read += [batch for _, batch in batches]
    assert np.array_equal(np.concatenate(read), rows)
    assert not caplog.records


def test_more_shards_than_open_files_are_read(tmp_path, monkeypatch):
    store, keys, rows = FeatureStore(tmp_path, RECIPE), some_keys(80), some_rows(80)
    for number in range(80):
        store.write(keys[number : number + 1], rows[number : number + 1])

    def read():
        monkeypatch.setattr("stores.index.MOST_MAPS", 8)
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        return store.read(keys)

    assert np.array_equal(in_child(read), rows)


def craft_newer(store):
    """Put a whole shard of a newer format in a store, without a fragment."""
    path = store.folder / "shards" / "draft"
    path.write_bytes(shards(store)[0].read_bytes())
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = SHARD_VERSION + 1
    return path.rename(path.with_name(f"{hashlib.sha256(path.read_bytes()).hexdigest()}.h5"))


@pytest.mark.parametrize(
    "verb",
    [
        lambda store, keys: store.read(keys),
        lambda store, keys: store.missing(keys),
        lambda store, keys: next(store.batches(keys, batch_size=1)),
        lambda store, _: store.verify(),
        lambda store, _: store.stats(),
        lambda store, _: store.reindex(),
        lambda store, _: store.collect_garbage(grace_seconds=-1, delete=True),
    ],
)
def test_a_newer_shard_is_refused_and_left_alone(tmp_path, verb):
    store, keys, _ = a_store(tmp_path)
    path = craft_newer(store)
    content = path.read_bytes()
    with pytest.raises(NewerFormat, match="update gargalo"):
        verb(FeatureStore(tmp_path, RECIPE), keys)
    assert path.read_bytes() == content
    assert not quarantined(store)
    assert len(fragments(store)) == 1


@pytest.fixture
def no_more_files(monkeypatch):
    """Let HDF5 find that the process has too many files open."""

    def refuse(*_, **__):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(h5py, "File", refuse)


def test_verify_blames_no_shard_for_the_systems_trouble(tmp_path, request):
    store, _, _ = a_store(tmp_path)
    request.getfixturevalue("no_more_files")
    (finding,) = store.verify()
    assert "could not be read: [Errno 24]" in finding
    assert not quarantined(store)


def test_nor_does_the_index(tmp_path, request):
    store, keys, _ = a_store(tmp_path)
    fragments(store)[0].unlink()
    request.getfixturevalue("no_more_files")
    with pytest.raises(OSError, match="Too many open files"):
        FeatureStore(tmp_path, RECIPE).missing(keys)
    assert len(shards(store)) == 1


def test_a_shard_that_goes_while_it_is_verified_is_no_finding(tmp_path, monkeypatch):
    store, _, _ = a_store(tmp_path)
    refresh = store._index.refresh

    def overtaken():
        found = refresh()
        shards(store)[0].unlink()
        return found

    monkeypatch.setattr(store._index, "refresh", overtaken)
    assert store.verify() == []


def test_a_shard_that_goes_while_it_is_listed_is_no_feature(tmp_path, monkeypatch):
    store, keys, rows = a_store(tmp_path)
    listed = {path.stem: path.stat().st_size for path in shards(store)} | {"0" * 64: 1}
    monkeypatch.setattr("stores.index.shard_sizes", lambda _: listed)
    assert np.array_equal(FeatureStore(tmp_path, RECIPE).read(keys), rows)


def test_a_store_below_a_file_is_no_store(tmp_path):
    (tmp_path / "file").write_text("")
    store = FeatureStore(tmp_path / "file", RECIPE)
    assert store.missing([bytes(32)]).all()
    with pytest.raises(OSError, match="file"):
        store.write(some_keys(1), some_rows(1))


def test_errors_are_also_the_builtins_they_resemble(tmp_path):
    with pytest.raises(KeyError, match="features are not stored"):
        FeatureStore(tmp_path, RECIPE).read([bytes(32)])
    (tmp_path / "features" / RECIPE.fingerprint[:16]).mkdir(parents=True)
    (tmp_path / "features" / RECIPE.fingerprint[:16] / "recipe.json").touch()
    with pytest.raises(ValueError, match="delete it") as caught:
        FeatureStore(tmp_path, RECIPE)
    assert isinstance(caught.value, CorruptStore)
    assert not str(MissingFeatures("no quotes")).startswith("'")


def test_nothing_is_logged_where_nothing_is_wrong(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        store, keys, _ = a_store(tmp_path)
        store.read(keys)
        store.reindex()
    assert not caplog.records


def test_a_shard_that_is_read_wrong_whatever_is_done_is_an_error_not_a_loop(tmp_path, monkeypatch):
    store, keys, _ = a_store(tmp_path, 3)
    monkeypatch.setattr("stores.features.check_rows", lambda *_: "row 0 is wrong")
    with pytest.raises(CorruptStore, match="check this machine's disk and memory"):
        store.read(keys)
