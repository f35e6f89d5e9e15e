import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores import FeatureStore, MissingFeatures, NotInStore
from stores.layers import remember_layers
from stores.quarantine import set_aside
from stores.remote import remote_of
from tests.stores.samples import (
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
    stored,
)
from tests.stores.test_merge import KEYS, ROWS, written

_subsets = st.lists(st.lists(st.integers(0, 7), min_size=1, max_size=4, unique=True), max_size=3)


@pytest.fixture
def team(tmp_path):
    """A store with two shards, which others read through to: rows 0 to 3 and 4 to 7."""
    store = written(tmp_path / "team", [[0, 1, 2, 3], [4, 5, 6, 7]])
    remember_layers(tmp_path / "own", [store.root])
    return store


def own(team):
    return FeatureStore(team.root.parent / "own", RECIPE)


def test_what_a_layer_has_is_read_and_never_copied_or_written(team):
    for fragment in fragments(team)[:1]:
        fragment.unlink()  # nor is its index made again there
    before = snapshot(team.root)
    assert not own(team).missing(KEYS).any()
    assert np.array_equal(own(team).read(KEYS), ROWS)
    for positions, rows in own(team).batches(KEYS, batch_size=3, shuffle_seed=1):
        assert np.array_equal(rows, ROWS[positions])
    assert own(team).feature_shape == (8,)
    assert own(team).made_by(KEYS)[0][0]["engine"] == "keras"
    assert not own(team).folder.exists()
    assert snapshot(team.root) == before


@few
@given(_subsets, _subsets, _subsets)
def test_a_store_over_layers_reads_what_any_of_them_has(tmp_path_factory, a, b, c):
    root = tmp_path_factory.mktemp("stores")
    for name, subsets in zip("abc", (a, b, c), strict=True):
        written(root / name, subsets)
    store = FeatureStore(root / "a", RECIPE, layers=[root / "b", root / "c"])
    there = ~store.missing(KEYS)
    assert set(np.flatnonzero(there).tolist()) == {n for s in (*a, *b, *c) for n in s}
    assert not there.any() or np.array_equal(store.read(KEYS[there]), ROWS[there])


def test_writes_go_to_ones_own_store_which_is_read_first(team):
    store = own(team)
    for number in range(7):  # seven digests: some come after the team's
        store.write(KEYS[number:][:1], 2 * ROWS[number:][:1])
    for reader in (store, own(team)):
        assert np.array_equal(reader.read(KEYS), np.concatenate([2 * ROWS[:7], ROWS[7:]]))
    assert len(shards(store)) == 7
    assert len(shards(team)) == 2


def test_what_the_layer_gets_later_is_read_too(team):
    store = own(team)
    (more,) = some_keys(1, seed=5)
    assert store.missing([more]).all()
    team.write([more], ROWS[:1])
    assert np.array_equal(store.read([more]), ROWS[:1])


def test_a_recipe_of_a_layer_is_opened_by_its_fingerprint(team):
    a_store(team.root, recipe=FLOAT16)
    assert FeatureStore.open(own(team).root, FLOAT16.fingerprint[:16]).recipe == FLOAT16
    with pytest.raises(NotInStore, match="found 2"):
        FeatureStore.open(own(team).root)


def test_a_bad_row_costs_that_row_and_is_never_read_again(team, caplog):
    flip_row(team, 1)
    before = snapshot(team.root)
    with pytest.raises(MissingFeatures):
        own(team).read(KEYS)
    assert "skipped there from now on" in caplog.text
    lost = own(team).missing(KEYS)  # another process knows of it
    assert int(lost.sum()) == 1
    own(team).write(KEYS[lost], ROWS[lost])
    caplog.clear()
    assert np.array_equal(own(team).read(KEYS), ROWS)
    assert (caplog.text, snapshot(team.root)) == ("", before)


def test_a_shard_cut_short_in_the_layer_is_computed_anew(team, caplog):
    path = shards(team)[0]
    path.write_bytes(path.read_bytes()[:-9])
    assert int(own(team).missing(KEYS).sum()) == 4
    assert "skipped there" in caplog.text
    caplog.clear()
    assert int(own(team).missing(KEYS).sum()) == 4
    assert not caplog.text
    assert (own(team).folder / "recipe.json").exists()


def test_a_shard_that_was_mended_in_its_layer_is_read_again(team):
    path = shards(team)[0]
    content = path.read_bytes()
    path.write_bytes(content[:-9])
    assert own(team).missing(KEYS).any()
    path.write_bytes(content)
    assert np.array_equal(own(team).read(KEYS), ROWS)


def test_a_bad_row_of_a_layer_at_an_address_is_never_read_again(machine, tmp_path, caplog):
    team, keys, rows = a_store(machine("one"))
    (path,) = shards(team)
    offset = next(iter(team._index)).offset
    stored(team.root, path.relative_to(team.root).as_posix()).getbuffer()[offset] ^= 1
    remember_layers(tmp_path / "own", [machine("other")])

    def mine():
        return FeatureStore(tmp_path / "own", RECIPE)

    with pytest.raises(MissingFeatures):
        mine().read(keys)
    lost = mine().missing(keys)
    assert np.flatnonzero(lost).tolist() == [0]
    mine().write(keys[lost], rows[lost])
    caplog.clear()
    assert np.array_equal(mine().read(keys), rows)
    assert not caplog.text


def test_a_store_at_an_address_remembers_too_what_it_skips(machine, team):
    flip_row(team, 1)
    remember_layers(machine(), [team.root])
    with pytest.raises(MissingFeatures):
        FeatureStore(machine(), RECIPE).read(KEYS)
    store = FeatureStore.open(machine())
    assert int(store.missing(KEYS).sum()) == 1
    assert list(store.folder.glob("skipped/*.json"))


def test_what_was_set_aside_in_the_layer_just_now_is_not_skipped(team):
    store = own(team)
    store.missing(KEYS)
    digest = shards(team)[0].stem
    shards(team)[0].unlink()
    set_aside(store._index.parts[1], digest, "damaged", write=store.write)
    assert not (store.folder / "skipped").exists()
    assert int(store.missing(KEYS).sum()) == 4


def test_what_is_skipped_is_joined_once(team):
    flip_row(team, 1)
    store = own(team)
    with pytest.raises(MissingFeatures):
        store.read(KEYS)
    lost = store.missing(KEYS)
    store.write(KEYS[lost], ROWS[lost])
    store.read(KEYS)
    joined = store._index.joined
    store.read(KEYS)
    assert store._index.joined is joined


def test_a_damaged_index_of_a_layer_costs_nothing_but_time(team):
    flip(fragments(team)[0], 100)
    before = snapshot(team.root)
    assert np.array_equal(own(team).read(KEYS), ROWS)
    assert snapshot(team.root) == before


def test_an_index_that_cannot_be_read_costs_nothing_but_time(team, monkeypatch, caplog):
    with monkeypatch.context() as later:
        later.setattr("stores.index.FRAGMENT_VERSION", 99)
        team.reindex()
    assert np.array_equal(own(team).read(KEYS), ROWS)
    assert "an index fragment of a layer is passed over" in caplog.text


def test_a_shard_that_cannot_be_read_costs_that_shard_until_it_can(team, monkeypatch, caplog):
    fragments(team)[0].unlink()
    path = shards(team)[0]
    path.rename(path.with_suffix(".kept"))
    path.mkdir()  # which nobody can read as a file, root neither
    store = own(team)
    assert int(store.missing(KEYS).sum()) == 4
    assert "a shard of a layer is passed over" in caplog.text
    path.rmdir()
    path.with_suffix(".kept").rename(path)
    assert np.array_equal(store.read(KEYS), ROWS)
    assert not own(team).folder.exists()


def test_a_shard_that_may_not_be_read_is_computed_anew_whatever_its_index_says(public, caplog):
    team = written(public / "team", [[0, 1, 2, 3], [4, 5, 6, 7]])
    remember_layers(public / "own", [team.root])
    (public / "own").chmod(0o777)
    shards(team)[0].chmod(0)

    def extract():
        store = FeatureStore(public / "own", RECIPE)
        lost = store.missing(KEYS)
        store.write(KEYS[lost], ROWS[lost])
        assert np.array_equal(store.read(KEYS), ROWS)
        return int(lost.sum()), caplog.text

    count, told = in_child(extract, nobody=True)
    assert count == 4
    assert "a shard of a layer is passed over" in told


def test_a_shard_that_may_no_longer_be_read_is_missing(public):
    team = written(public / "team", [[0, 1, 2, 3], [4, 5, 6, 7]])
    store = FeatureStore(public / "own", RECIPE, layers=[team.root])
    assert not store.missing(KEYS).any()
    shards(team)[0].chmod(0)

    def read():
        with pytest.raises(MissingFeatures, match="4 of 8"):
            store.read(KEYS)
        return int(store.missing(KEYS).sum())

    assert in_child(read, nobody=True) == 4


def test_a_whole_twin_in_another_layer_is_read_instead(team):
    other = written(team.root.parent / "other", [[0, 1, 2, 3]], engine="openvino")
    remember_layers(own(team).root, [team.root, other.root])
    for number in (0, 1):
        flip_row(team, 1, shard=number)
    assert np.array_equal(own(team).read(KEYS[:4]), ROWS[:4])


def test_where_one_cannot_write_either_the_row_is_skipped(public, sealed, caplog):
    team = written(public / "team", [[0, 1, 2]])
    flip_row(team, 1)
    remember_layers(public / "own", [team.root])
    sealed(public)
    before = snapshot(public)
    store = FeatureStore(public / "own", RECIPE)

    def read():
        with pytest.raises(MissingFeatures):
            store.read(KEYS[:3])
        return caplog.text

    assert "it cannot be set aside" in in_child(read, nobody=True)
    assert snapshot(public) == before


@pytest.mark.parametrize("delete", [shutil.rmtree, lambda root: root.rename(root.parent / "away")])
def test_a_layer_that_is_gone_is_said_and_passed_over(team, delete, caplog):
    store = own(team)
    assert not store.missing(KEYS).any()
    delete(team.root)
    for reader in (store, own(team)):
        assert reader.missing(KEYS).all()
        assert reader.missing(KEYS).all()
    assert caplog.text.count("a layer is passed over") == 2


def test_a_layer_at_an_address_that_does_not_answer_is_passed_over(machine, tmp_path, caplog):
    team, keys, rows = a_store(machine("one"))
    remember_layers(tmp_path / "own", [team.root])

    def find(*_, **__):
        raise OSError("cut off")

    remote_of(team.root)._files.find = find
    store = FeatureStore(tmp_path / "own", RECIPE)
    assert store.missing(keys).all()
    store.write(keys, rows)
    assert np.array_equal(FeatureStore.open(tmp_path / "own").read(keys), rows)
    assert "a layer is passed over" in caplog.text
    assert "cut off" in caplog.text


def test_a_newer_layer_is_passed_over(team, monkeypatch, caplog):
    fragments(team)[0].unlink()
    monkeypatch.setattr("stores.shards.SHARD_VERSION", 1)
    own(team).missing(KEYS)
    assert "a layer is passed over" in caplog.text
    assert "of format version 2" in caplog.text


def test_a_newer_shard_of_a_layer_is_looked_at_once(team, monkeypatch):
    for fragment in fragments(team):
        fragment.unlink()
    monkeypatch.setattr("stores.shards.SHARD_VERSION", 1)
    store = own(team)
    assert store.missing(KEYS).all()
    monkeypatch.setattr("stores.index.unpack", None)
    assert store.missing(KEYS).all()


def test_looking_after_ones_store_leaves_its_layers_alone(team):
    store = own(team)
    store.write(KEYS[:4], ROWS[:4], producer={"engine": "keras"})  # the very shard of the layer
    flip_row(team, 0, shard=0)
    flip_row(team, 0, shard=1)
    before = snapshot(team.root)
    store.missing(KEYS)  # so that all layers are taken in
    assert store.verify() == []
    assert store.collect_garbage(grace_seconds=-1, delete=True) == []
    assert store.reindex() == 1
    told = store.stats()
    assert (told["features"], told["shards"]) == (4, 1)
    assert snapshot(team.root) == before
    assert np.array_equal(store.read(KEYS[:4]), ROWS[:4])


def test_rows_of_other_shapes_in_an_index_are_asked_of_the_shards(team):
    store = own(team)
    store.write(some_keys(1, seed=9), some_rows(1))
    wrong = next(iter(store._index))
    object.__setattr__(wrong, "shape", (4,))
    assert np.array_equal(store.read(KEYS), ROWS)


def test_of_newer_shards_in_a_layer_none_is_asked_for_its_shape(team, monkeypatch):
    monkeypatch.setattr("stores.shards.SHARD_VERSION", 1)
    (key,) = some_keys(1, seed=9)
    store = own(team)
    store.write([key], some_rows(1))
    store._index.parts[1].refresh()
    object.__setattr__(next(iter(store._index.parts[1])), "shape", (4,))
    assert np.array_equal(store.read([key]), some_rows(1))
    assert store.missing(KEYS).all()
