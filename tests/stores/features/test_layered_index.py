import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores import FeatureStore, MissingFeatures, NotInStore
from stores.features.layers import remember_layers
from stores.features.quarantine import set_aside
from tests.stores.merge.test_features import KEYS, ROWS, written
from tests.support.samples import (
    FLOAT16,
    RECIPE,
    a_store,
    few,
    flip_row,
    fragments,
    in_child,
    shards,
    snapshot,
    some_keys,
    some_rows,
    stored,
)

_subsets = st.lists(st.lists(st.integers(0, 7), min_size=1, max_size=4, unique=True), max_size=3)


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
    stored(team.root, path.relative_to(team.root.path).as_posix()).getbuffer()[offset] ^= 1
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
    assert (told.features, told.shards) == (4, 1)
    assert snapshot(team.root) == before
    assert np.array_equal(store.read(KEYS[:4]), ROWS[:4])


def test_rows_of_other_shapes_in_an_index_are_asked_of_the_shards(team):
    store = own(team)
    store.write(some_keys(1, seed=9), some_rows(1))
    wrong = next(iter(store._index))
    object.__setattr__(wrong, "shape", (4,))
    assert np.array_equal(store.read(KEYS), ROWS)
