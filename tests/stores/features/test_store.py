import logging
import tempfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stores import FeatureStore, MissingFeatures, NotInStore
from stores.features.recipe import stored_recipes
from tests.support.samples import FLOAT16, RECIPE, a_store, few, shards, some_keys, some_rows

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
    distinct = first_of_each(keys, views)
    keys, views, rows = keys[distinct], views[distinct], rows[distinct]
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
    assert store.stats().features == len(store.made_by([bytes(32)])) == 0
    assert stored_recipes(tmp_path / "store") == []
    with pytest.raises(MissingFeatures):
        store.read([bytes(32)])
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
    assert stats.features == 7
    assert stats.shards == 3
    assert stats.bytes == sum(path.stat().st_size for path in shards(store))
    assert stats.feature_shape == (8,)
    assert [producer["engine"] for producer in stats.producers] == ["keras", "openvino"]


def test_who_made_which_features_is_told(tmp_path):
    store, rows = FeatureStore(tmp_path, RECIPE), some_rows(5, (3,))
    old, new = some_keys(2, seed=1), some_keys(3, seed=2)
    store.write(old, rows[:2], producer={"engine": "abacus", "agreement": {"rows": 16}})
    store.write(new, rows[2:], producer={"engine": "keras"})
    store.write(some_keys(2, seed=3), rows[:2], producer={"engine": "slide rule"}, views=1)
    asked = np.concatenate([new[1:], some_keys(2, seed=3), old[:1]])
    told = {producer["engine"]: keys for producer, keys in store.made_by(asked)}
    assert told.keys() == {"abacus", "keras"}
    assert np.array_equal(told["abacus"], old[:1])
    assert np.array_equal(told["keras"], new[1:])
    assert all(producer["agreement"] is None for producer, _ in store.made_by(asked))


def test_nothing_is_logged_where_nothing_is_wrong(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        store, keys, _ = a_store(tmp_path)
        store.read(keys)
        store.reindex()
    assert not caplog.records
