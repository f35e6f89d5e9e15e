"""Merging from and into a store at an address."""

import pytest

from stores import RunStore
from stores.merge.features import merge
from stores.runs.checkpoints import Checkpoints
from tests.stores.test_manifest import PETS
from tests.support.runs import look, publish
from tests.support.samples import a_store, objects, remote_of, stored


@pytest.fixture
def full(tmp_path):
    """A store with features, a data set, and a run that was tested once."""
    a_store(tmp_path / "full")
    PETS.write(tmp_path / "full")
    publish(RunStore(tmp_path / "full"))
    look(RunStore(tmp_path / "full"))
    return tmp_path / "full"


def fail(*_, **__):
    raise OSError("cut off")


@pytest.mark.parametrize("ending", ["h5", "manifest.parquet", "run.json"])
def test_a_connection_that_is_lost_on_the_way_there_is_no_damage(
    machine, full, monkeypatch, ending
):
    remote = remote_of(machine())
    put = remote._put

    def cut(path, *arguments):
        fail() if path.name.endswith(ending) else put(path, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(remote, "_put", cut)
        with pytest.raises(OSError, match="cut off"):
            merge(machine(), full)
    assert not merge(machine(), full).damaged
    assert RunStore(machine("other")).times_opened([b"k" * 32]) == 1


@pytest.mark.parametrize("ending", ["h5", "model.txt"])
def test_a_connection_that_is_lost_on_the_way_here_is_no_damage(
    machine, full, tmp_path, monkeypatch, ending
):
    merge(machine(), full)
    remote = remote_of(machine("other"))
    get = remote._files.get

    def cut(sources, targets):
        fail() if sources[0].endswith(ending) else get(sources, targets)

    with monkeypatch.context() as patch:
        patch.setattr(remote._files, "get", cut)
        with pytest.raises(OSError, match="cut off"):
            merge(tmp_path / "ours", machine("other"))
    merged = merge(tmp_path / "ours", machine("other"))
    assert (merged.runs, merged.damaged) == (1, [])


def test_a_disk_that_fails_here_is_not_damage_there(full, tmp_path, monkeypatch):
    def failing(*_, **__):
        raise OSError(5, "Input/output error")

    for place in "stores.storage.location.publish_file", "stores.storage.publish._sync_tree":
        with monkeypatch.context() as patch:
            patch.setattr(place, failing)
            with pytest.raises(OSError, match="Input/output error"):
                merge(tmp_path / "ours", full)


def test_a_lost_recipe_is_reported_on_a_machine_that_never_saw_it(machine, tmp_path):
    a_store(machine())
    (recipe,) = (name for name in objects(machine()) if name.endswith("recipe.json"))
    (machine() / recipe).delete()
    (line,) = merge(tmp_path / "ours", machine("other")).damaged
    assert "flows.maintain reindex" in line


def test_an_address_is_what_is_shown_of_a_store(machine, full, tmp_path):
    merge(machine(), full)
    PETS.write(tmp_path / "ours")
    Checkpoints(machine(), "ab" * 32).publish([{"loss": 1.0}], save=lambda _: None)
    (shard,) = (name for name in objects(machine()) if name.endswith(".h5"))
    stored(machine(), shard).getbuffer()[-1] ^= 1
    address = machine().show()
    merged = merge(tmp_path / "ours", machine("other"))
    assert f"verify --store {address} keeps" in merged.damaged[0]
    assert f"go on with it in {address}" in merged.left[0]
