import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores import FeatureStore, Manifest, RunStore, StoreReadOnly
from stores.features.shard import unpack
from stores.merge.features import merge
from stores.merge.result import Merged
from stores.runs.checkpoints import Checkpoints
from stores.storage.publish import publish_file
from tests.stores.features.test_shard import ARCHIVED
from tests.stores.test_manifest import PETS
from tests.support.entries import entries_of, with_entries
from tests.support.samples import (
    FLOAT16,
    RECIPE,
    a_store,
    few,
    flip,
    flip_row,
    fragments,
    in_child,
    shards,
    snapshot,
    some_keys,
    some_rows,
)

KEYS, ROWS = some_keys(8), some_rows(8)
_subsets = st.lists(st.lists(st.integers(0, 7), min_size=1, max_size=4, unique=True), max_size=4)


@pytest.fixture
def ours(tmp_path):
    return tmp_path / "ours"


@pytest.fixture
def theirs(tmp_path):
    return tmp_path / "theirs"


def written(root, subsets, engine="keras"):
    """Write some of the eight features, a shard for each subset."""
    store = FeatureStore(root, RECIPE)
    for subset in subsets:
        store.write(KEYS[subset], ROWS[subset], producer={"engine": engine})
    return store


def found(root):
    store = FeatureStore(root, RECIPE)
    there = ~store.missing(KEYS)
    assert not there.any() or np.array_equal(store.read(KEYS[there]), ROWS[there])
    return set(np.flatnonzero(there).tolist())


@few
@given(_subsets, _subsets, _subsets)
def test_what_either_store_had_is_found_in_whatever_order_they_come(tmp_path_factory, a, b, c):
    root = tmp_path_factory.mktemp("stores")
    for name, subsets in zip("abc", (a, b, c), strict=True):
        written(root / name, subsets)
    for order in ("abc", "cba"):
        for name in order:
            merge(root / order, root / name)
        assert found(root / order) == {n for subset in (*a, *b, *c) for n in subset}
        copied = snapshot(root / order)
        assert all(merge(root / order, root / name) == Merged() for name in order)
        assert snapshot(root / order) == copied


def test_only_the_shards_that_bring_a_row_are_copied(ours, theirs):
    written(ours, [[0, 1, 2]])
    written(theirs, [[0, 1], [2, 3], [4, 5]], engine="openvino")
    copied = merge(ours, theirs)
    assert (copied.shards, copied.features) == (2, 3)
    paths = [path for path in shards(FeatureStore(theirs, RECIPE)) if path.stem in stems(ours)]
    assert copied.bytes == bytes_of(paths)
    assert len(fragments(FeatureStore(ours, RECIPE))) == 3


def bytes_of(paths):
    return sum(path.stat().st_size for path in paths)


def stems(root):
    return {path.stem for path in shards(FeatureStore(root, RECIPE))}


def test_the_other_store_is_only_read_though_its_index_is_gone(ours, theirs):
    for fragment in fragments(written(theirs, [[0, 1]])):
        fragment.unlink()
    before = snapshot(theirs)
    assert merge(ours, theirs).features == 2
    assert snapshot(theirs) == before


def test_a_damaged_shard_is_passed_over_and_its_whole_twin_taken(ours, theirs):
    for engine in ("keras", "openvino"):
        store = written(theirs, [[0, 1, 2]], engine=engine)
    flip_row(store, 1)
    merged = merge(ours, theirs)
    assert (merged.shards, merged.features) == (1, 3)
    assert shards(store)[0].stem[:12] in merged.damaged[0]
    assert found(ours) == {0, 1, 2}


def test_a_damaged_shard_is_reported_each_time_and_never_copied(ours, theirs):
    store = written(theirs, [[0, 1], [2]])
    flip_row(store, 0, shard=0)
    flip_row(store, 0, shard=1)
    first = merge(ours, theirs)
    assert (first.shards, len(first.damaged)) == (0, 2)
    assert merge(ours, theirs) == first


def test_the_way_out_of_damage_brings_the_rows_that_are_whole(ours, theirs):
    store = written(theirs, [[0, 1, 2]])
    flip_row(store, 1)
    (line,) = merge(ours, theirs).damaged
    assert f"python -m flows.maintain verify --store {theirs} keeps" in line
    assert store.verify()
    assert merge(ours, theirs).features == 2
    assert found(ours) == {0, 2}


def test_a_shard_that_changes_while_it_is_read_is_not_taken(ours, theirs, monkeypatch):
    written(theirs, [[0, 1, 2]])

    def changing(path, recipe):
        shard = unpack(path, recipe)
        flip(path, shard.offset)
        return shard

    monkeypatch.setattr("stores.merge.features.unpack", changing)
    (line,) = merge(ours, theirs).damaged
    assert "changed just now" in line
    assert not stems(ours)


def test_a_shard_cut_short_here_is_brought_back_from_there(ours, theirs):
    store = written(ours, [[0, 1, 2]])
    shutil.copytree(ours, theirs)
    (path,) = shards(store)
    path.write_bytes(path.read_bytes()[:-9])
    assert merge(ours, theirs).shards == 1
    assert found(ours) == {0, 1, 2}


def test_views_and_recipes_are_taken_over_each_for_itself(ours, theirs):
    store, keys, rows = a_store(theirs, recipe=FLOAT16)
    store.write(keys, 2 * rows, views=3)
    written(theirs, [[0]])
    assert merge(ours, theirs).features == 2 * len(keys) + 1
    copy = FeatureStore(ours, FLOAT16)
    assert np.array_equal(copy.read(keys, views=3), store.read(keys, views=3))


def test_a_store_of_format_1_is_taken_over_as_it_is(ours):
    merged = merge(ours, ARCHIVED)
    assert (merged.shards, merged.damaged, merged.left) == (2, [], [])
    copied = {path.name: path.read_bytes() for path in ours.glob("features/*/shards/*")}
    assert copied == {path.name: path.read_bytes() for path in ARCHIVED.glob("features/*/shards/*")}
    assert FeatureStore.open(ours).verify() == []


def test_a_newer_recipe_is_left_alone(ours, theirs):
    store = written(theirs, [[0]])
    path = store.folder / "recipe.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 9'))
    merged = merge(ours, theirs)
    assert "of format version 9" in merged.left[0]
    assert not merged.damaged


def test_an_index_that_cannot_be_read_costs_nothing_but_time(ours, theirs, monkeypatch):
    store = written(theirs, [[0], [1, 2]])
    with monkeypatch.context() as later:
        later.setattr("stores.features.index_fragments.FRAGMENT_VERSION", 99)
        store.reindex()
    assert merge(ours, theirs) == Merged(features=3, shards=2, bytes=bytes_of(shards(store)))


def test_a_shard_that_cannot_be_read_costs_that_shard(ours, theirs, monkeypatch):
    with monkeypatch.context() as later:
        later.setattr("stores.features.shard.SHARD_VERSION", 9)
        store = written(theirs, [[0]])
    (newer,) = shards(store)
    written(theirs, [[1], [2, 3]])
    other = next(path for path in shards(store) if path != newer)
    other.unlink()
    other.mkdir()  # which nobody can read as a file, root neither
    for fragment in fragments(store):
        fragment.unlink()
    merged = merge(ours, theirs)
    assert merged.shards == 1
    assert f"{newer}: shard of format version 9" in merged.left[0]
    assert str(other) in merged.damaged[0]
    assert (len(merged.left), len(merged.damaged)) == (1, 1)


def test_a_recipe_that_is_gone_is_reported_with_the_way_out(ours, theirs):
    (written(theirs, [[0]]).folder / "recipe.json").unlink()
    (line,) = merge(ours, theirs).damaged
    assert "flows.maintain reindex" in line


def test_a_data_set_is_taken_over_with_its_splits(ours, theirs):
    PETS.write(theirs)
    assert merge(ours, theirs).datasets == 1
    assert Manifest.read(ours, "pets") == PETS
    assert merge(ours, theirs) == Merged()


def test_another_data_set_of_the_same_name_is_left_alone(ours, theirs):
    PETS.write(theirs)
    with_entries(PETS, folder="/others", entries=entries_of(PETS)[:1]).write(ours)
    before = snapshot(ours)
    (line,) = merge(ours, theirs).left
    assert "of /others; to have both, rename" in line
    assert "ingest /pets" in line
    assert snapshot(ours) == before


def test_a_damaged_manifest_is_reported(ours, theirs):
    PETS.write(theirs)
    (theirs / "datasets" / "pets" / "manifest.parquet").write_bytes(b"damaged")
    merged = merge(ours, theirs)
    assert (merged.datasets, len(merged.damaged)) == (0, 1)
    assert not ours.exists()


def test_a_fine_tuning_that_is_not_finished_stays_where_it_is(ours, theirs):
    Checkpoints(theirs, "ab" * 32).publish([{"loss": 1.0}], save=lambda _: None)
    (line,) = merge(ours, theirs).left
    assert f"fine-tuning {'ab' * 8}: it is not finished" in line
    assert RunStore(ours).table().num_rows == 0


def test_a_store_that_cannot_be_written_says_so(public, sealed):
    written(public / "theirs", [[0]])
    (public / "ours").mkdir()
    sealed(public / "ours")
    with pytest.raises(StoreReadOnly, match="give another --store"):
        in_child(lambda: merge(public / "ours", public / "theirs"), nobody=True)
    sealed(public / "theirs")
    assert merge(public / "third", public / "theirs").features == 1


def test_an_interrupted_merge_goes_on(ours, theirs, monkeypatch):
    written(theirs, [[0, 1], [2, 3], [4, 5]])

    def interrupted(content, final, *, tmp):
        if final.suffix == ".h5" and shards(FeatureStore(ours, RECIPE)):
            raise KeyboardInterrupt
        publish_file(content, final, tmp=tmp)

    with monkeypatch.context() as patch:
        patch.setattr("stores.storage.location.publish_file", interrupted)
        with pytest.raises(KeyboardInterrupt):
            merge(ours, theirs)
    assert len(stems(ours)) == 1
    assert merge(ours, theirs).shards == 2
    assert found(ours) == set(range(6))
