"""What cannot be read of a layer, or is newer: it is said, and passed over."""

import shutil

import numpy as np
import pytest

from stores import FeatureStore, MissingFeatures
from stores.features.layers import remember_layers
from stores.features.shard import unpack
from tests.stores.features.test_layered_index import own
from tests.stores.merge.test_features import KEYS, ROWS, written
from tests.support.samples import (
    RECIPE,
    a_store,
    flip,
    fragments,
    in_child,
    remote_of,
    shards,
    snapshot,
    some_keys,
    some_rows,
)


def test_a_damaged_index_of_a_layer_costs_nothing_but_time(team):
    flip(fragments(team)[0], 100)
    before = snapshot(team.root)
    assert np.array_equal(own(team).read(KEYS), ROWS)
    assert snapshot(team.root) == before


def test_an_index_that_cannot_be_read_costs_nothing_but_time(team, monkeypatch, caplog):
    with monkeypatch.context() as later:
        later.setattr("stores.features.index_fragments.FRAGMENT_VERSION", 99)
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


def unmount(root):
    shutil.rmtree(root)
    root.mkdir()


@pytest.mark.parametrize(
    "delete", [shutil.rmtree, lambda root: root.rename(root.parent / "away"), unmount]
)
def test_a_layer_that_is_gone_is_said_and_passed_over(team, delete, caplog):
    store = own(team)
    assert not store.missing(KEYS).any()
    delete(team.root.path)
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
    monkeypatch.setattr("stores.features.shard.SHARD_VERSION", 1)
    own(team).missing(KEYS)
    assert "a layer is passed over" in caplog.text
    assert "of format version 2" in caplog.text


def test_a_newer_shard_of_a_layer_is_looked_at_once(team, monkeypatch):
    for fragment in fragments(team):
        fragment.unlink()
    monkeypatch.setattr("stores.features.shard.SHARD_VERSION", 1)
    store = own(team)
    assert store.missing(KEYS).all()
    monkeypatch.setattr("stores.features.index.unpack", None)
    assert store.missing(KEYS).all()


def test_of_newer_shards_in_a_layer_none_is_asked_for_its_shape(team, monkeypatch):
    monkeypatch.setattr("stores.features.shard.SHARD_VERSION", 1)
    (key,) = some_keys(1, seed=9)
    store = own(team)
    store.write([key], some_rows(1))
    store._index.parts[1].refresh()
    object.__setattr__(next(iter(store._index.parts[1])), "shape", (4,))
    assert np.array_equal(store.read([key]), some_rows(1))
    assert store.missing(KEYS).all()


def test_many_damaged_shards_of_a_layer_are_said_and_remembered_once(team, caplog, monkeypatch):
    """The kind: what a layer has many of costs a line, a look and a write each."""
    looked_at = []
    monkeypatch.setattr(
        "stores.features.index.unpack",
        lambda path, recipe: looked_at.append(path) or unpack(path, recipe),
    )
    for number in range(2000):
        (team.folder / "shards" / f"{number:064x}.h5").touch()
    kept = own(team)
    assert kept.missing(KEYS).all()
    assert len(looked_at) < 200
    assert len(caplog.messages) == 1
    assert "what is left of a layer is passed over" in caplog.text
    assert len(list((kept.folder / "skipped").iterdir())) == 1
    looked_at.clear()
    assert own(team).missing(KEYS).all()
    assert not looked_at


def test_some_damaged_shards_among_whole_ones_do_not_end_a_layer(team, monkeypatch):
    monkeypatch.setattr("stores.features.layered_index._MOST_DAMAGED", 1)
    for digest in ("0" * 64, "f" * 64):
        (team.folder / "shards" / f"{digest}.h5").touch()
    assert not own(team).missing(KEYS).any()
