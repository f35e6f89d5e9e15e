"""Looking after a store at an address, on a machine that has not yet seen it."""

import pytest

from stores.features.layers import remember_layers
from stores.features.store import FeatureStore
from stores.layout import locate
from stores.runs.store import RunStore
from tasks.errors import InputError
from tasks.maintenance.maintain import (
    collect_garbage,
    list_store,
    merge_stores,
    reindex,
    stats,
    verify,
)
from tests.support.runs import look, publish
from tests.support.samples import RECIPE, a_store, objects, remote_of, some_keys, some_rows, stored


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Return a function that gives this test's store, as a machine of a name sees it."""
    monkeypatch.setattr("stores.storage.remote.listings.FRESH_SECONDS", 0)

    def elsewhere(name):
        monkeypatch.setenv("GARGALO_CACHE", str(tmp_path / name))
        return locate(f"memory://{tmp_path.name}/store")

    a_store(elsewhere("one"))
    return elsewhere


def test_stats_and_verify_see_what_is_there(elsewhere):
    assert stats(elsewhere("other"))[0].features == 6
    assert verify(elsewhere("other")) == {f"features {RECIPE}": []}


def test_verify_finds_what_is_damaged_there_though_it_is_whole_here(elsewhere):
    mirror = elsewhere("one")
    (shard,) = (name for name in objects(mirror) if name.endswith(".h5"))
    content = stored(mirror, shard).getbuffer()
    content[len(content) // 2] ^= 1
    assert "digest" in str(verify(mirror))
    assert verify(mirror) == {f"features {RECIPE}": []}  # it was set aside


def test_verify_finds_a_model_that_is_another_there(elsewhere):
    runs = RunStore(elsewhere("one"))
    run = publish(runs)
    assert runs.verify() == {f"run {run.id[:16]}": []}
    (name,) = (name for name in objects(runs.root) if "/model/" in name)
    remote = remote_of(runs.root)
    remote._files.pipe_file(remote._at(name), b"another")
    assert "damaged" in str(runs.verify())


def test_a_lost_recipe_comes_back(elsewhere):
    (recipe,) = (name for name in objects(elsewhere("one")) if name.endswith("recipe.json"))
    (elsewhere("one") / recipe).delete()
    assert "recipe.json not found" in str(verify(elsewhere("other")))
    assert reindex(elsewhere("other")) == {str(RECIPE): 1}
    assert recipe in objects(elsewhere("other"))
    assert FeatureStore.open(elsewhere("third")).recipe == RECIPE


def test_fragments_are_made_again_for_all(elsewhere):
    (fragment,) = (name for name in objects(elsewhere("one")) if name.endswith(".parquet"))
    one = elsewhere("one")
    (one / fragment).publish(b"damaged", tmp=one / "tmp")
    assert reindex(elsewhere("other")) == {str(RECIPE): 1}
    assert not FeatureStore.open(elsewhere("third")).missing(some_keys(6)).any()


def test_what_a_writer_left_half_published_may_go(elsewhere):
    left = elsewhere("one") / "runs" / ("ab" * 8) / "model" / "head.npz"
    remote_of(elsewhere("one")).put(left.path, b"half of a run")
    assert collect_garbage(elsewhere("other"), delete=True) == []
    (found,) = collect_garbage(elsewhere("other"), grace_seconds=-1, delete=True)
    assert found.reason == "left by a writer that died"
    assert not [name for name in objects(elsewhere("other")) if name.startswith("runs/")]


def test_looks_at_the_test_split_stay_where_the_record_is_gone(elsewhere):
    runs = RunStore(elsewhere("one"))
    run = publish(runs)
    look(runs)
    (runs.place / run.id[:16] / "run.json").delete()
    assert collect_garbage(elsewhere("other"), grace_seconds=-1, delete=True) == []
    assert RunStore(elsewhere("third")).times_opened([b"k" * 32]) == 1


def test_a_shadowed_shard_may_go_by_its_age_at_the_address(elsewhere):
    store = FeatureStore(elsewhere("one"), RECIPE)
    store.write(some_keys(6)[:3], some_rows(6)[:3])
    assert collect_garbage(elsewhere("other")) == []
    (found,) = collect_garbage(elsewhere("other"), grace_seconds=-1)
    assert "another shard" in found.reason


def test_a_layer_and_a_store_to_merge_are_called_by_their_address(elsewhere, tmp_path):
    address = elsewhere("one").show()
    remember_layers(tmp_path / "own", [elsewhere("one")])
    a_store(tmp_path / "own")
    assert list_store(tmp_path / "own").layers == [address]
    with pytest.raises(InputError, match=f"--from {address}: that is the store itself"):
        merge_stores(elsewhere("one"), elsewhere("one"))
