import pickle
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from stores import FeatureStore, Manifest, NotInStore, RunStore, StoreFull, StoreRefused
from stores.dataset_places import datasets
from stores.features.layers import remember_layers
from stores.layout import locate
from stores.merge.features import merge
from stores.runs.checkpoints import Checkpoints, unfinished
from tests.stores.runs.test_record import RUN
from tests.stores.test_manifest import PETS
from tests.support.runs import publish
from tests.support.samples import (
    RECIPE,
    a_store,
    objects,
    remote_of,
    stored,
)


def test_a_manifest_is_the_newest(machine):
    for seed in (1, 2):
        replace(PETS, split_seed=seed).write(machine("one"))
        assert datasets(machine("other")) == [PETS.name]
        assert Manifest.read(machine("other"), PETS.name).split_seed == seed
    replace(PETS, split_seed=3).write(machine("other"))  # the other's is as large as one's own
    assert Manifest.read(machine("one"), PETS.name).split_seed == 3


def test_a_run_is_read_with_its_model_and_gone_when_it_is_deleted(machine):
    run = publish(RunStore(machine("one")))
    other = RunStore(machine("other"))
    assert other.read(run.id) == run
    assert not (other.folder / run.id[:16] / "model").exists()
    assert run.id in other
    assert other.table().num_rows == 1
    (machine("one") / "runs" / run.id[:16]).delete()
    with pytest.raises(NotInStore):
        other.read(run.id)
    assert not (other.folder / run.id[:16]).exists()


def test_a_run_without_its_record_is_not_there_yet(machine, monkeypatch):
    remote = remote_of(machine("one"))
    put = remote._put

    def cut(path, *arguments):
        if path.name == "run.json":
            raise OSError("cut off")
        put(path, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(remote, "_put", cut)
        patch.setattr(remote, "delete_names", lambda _: None)  # nor can it take back anything
        with pytest.raises(OSError, match="cut off"):
            publish(RunStore(machine("one")))
    assert any(name.startswith("runs/") for name in objects(machine("one")))
    assert machine("one").unfinished() == [machine("one") / "runs" / RUN.id[:16]]
    for name in "one", "other":
        assert not list((machine(name) / "runs").path.glob("*/run.json"))
        assert not RunStore(machine(name)).verify()
    assert publish(RunStore(machine("other"))).id in RunStore(machine("one"))
    assert machine("one").unfinished() == []


def test_of_two_the_first_run_is_kept(machine):
    first = publish(RunStore(machine("one")))
    assert publish(RunStore(machine("other"))) == first
    assert first.id in RunStore(machine("other"))


def test_a_run_that_is_damaged_at_the_address_is_trained_again(machine):
    run = publish(RunStore(machine("one")))
    name = f"runs/{run.id[:16]}/model/model.txt"
    stored(machine("one"), name).getbuffer()[0] ^= 1
    other = RunStore(machine("other"))
    assert run.id not in other
    publish(other)
    assert run.id in RunStore(machine("third"))


def test_a_training_goes_on_from_another_machines_checkpoint(machine):
    def save(folder):
        (folder / "state.npz").write_bytes(b"weights")

    for epochs in (1, 2, 3):
        Checkpoints(machine("one"), RUN.id).publish([{"loss": 1.0}] * epochs, save=save)
    other = Checkpoints(machine("other"), RUN.id)
    assert other.latest().epochs == 3
    assert other.stats().checkpoints == 2
    other.discard()
    assert unfinished(machine("one")) == []


def test_what_is_this_machines_alone_stays(machine):
    a_store(machine("one"))
    publish(RunStore(machine("one")))
    names = objects(machine("one"))
    assert not [name for name in names if {"tmp", "lock", "remote.json"} & set(name.split("/"))]


@pytest.mark.parametrize(
    "address",
    [
        "s3://key:secret@b/p",
        "s3://b/p?key=secret",
        "s3://secret@b",
        "gs://b#secret",
        "s3://u:secret@",
        "s3://AKIA:se/cret/secret@b/p",
        "s3://AKIA:/secret@b",
        "abfs://box:se/cret@account.dfs.core.windows.net/p",
    ],
)
def test_credentials_in_an_address_are_refused_and_not_repeated(address):
    with pytest.raises(StoreRefused, match="belong in the environment") as caught:
        locate(address)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("address", ["nope://a/b", "s3://", "://x", "simplecache::s3://b"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(StoreRefused, match="s3://bucket/prefix"):
        locate(address)


@pytest.mark.parametrize(
    "address", ["file://localhost/tmp", "file://../x", "local://x", "file://~"]
)
def test_an_address_of_a_folder_has_a_whole_path(address, tmp_path, monkeypatch):
    """The kind: what is no path is taken for one below the folder that one happens to be in."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreRefused, match=f"{address}: expected a whole path after"):
        locate(address)


@pytest.mark.parametrize("name", ["x" * 5000, "file:///" + "y" * 300, "s3://b/" + "z/" * 3000])
def test_a_name_that_no_system_takes_is_refused(name):
    with pytest.raises(StoreRefused, match=r"bytes in .*, expected at most 255 in 4000; give"):
        locate(name)


def test_a_folders_address_is_the_folder(tmp_path):
    assert locate(f"file://{tmp_path}") == locate(tmp_path)
    assert locate(f"file://{tmp_path}").show() == str(tmp_path)


def test_nothing_is_written_for_an_address_that_is_not_used_yet(machine, tmp_path):
    """The kind: what is only parsed, as a command's arguments, leaves something on the disk."""
    assert machine("one").show().startswith("memory://")
    assert not list(tmp_path.iterdir())


def test_a_size_that_is_none_is_refused(machine, monkeypatch):
    monkeypatch.setenv("GARGALO_CACHE_BYTES", "20 GB")
    with pytest.raises(StoreRefused, match="GARGALO_CACHE_BYTES: expected a number of bytes"):
        machine()


def test_a_cache_that_is_no_folder_is_named(tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file")
    monkeypatch.setenv("GARGALO_CACHE", str(tmp_path / "cache"))
    with pytest.raises(StoreRefused, match=r"/cache: .*another folder by GARGALO_CACHE"):
        locate("memory://bucket/store").refresh()


def test_a_mirror_says_whose_it_is_and_no_secret(machine, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    mirror = machine()
    mirror.refresh()
    assert "hidden" not in (mirror.path / "remote.json").read_text()


def test_another_process_has_a_mirror_of_its_own(machine, tmp_path):
    sent = [pickle.dumps(place / "runs") for place in (machine("one"), locate(tmp_path))]
    other = machine("other")
    assert [pickle.loads(store) for store in sent] == [other / "runs", locate(tmp_path) / "runs"]


def test_a_store_is_opened_by_its_address(machine):
    _, keys, rows = a_store(machine("one"))
    address = machine("one").show()
    machine("other")
    assert np.array_equal(FeatureStore.open(address).read(keys), rows)
    PETS.write(address)
    assert Manifest.read(address, "pets").digest == PETS.digest
    assert publish(RunStore(address)).id in RunStore(address)
    with pytest.raises(NotInStore, match=f"^'?{address}: no data set"):
        Manifest.read(address, "dogs")


def test_a_store_takes_over_what_is_at_an_address_and_the_other_way(machine, tmp_path):
    _, keys, rows = a_store(machine("one"))
    PETS.write(machine("one"))
    run = publish(RunStore(machine("one")))
    for source, target in (
        (machine("two"), tmp_path / "own"),
        (tmp_path / "own", machine("x", "y")),
    ):
        merged = merge(target, source)
        assert (merged.features, merged.datasets, merged.runs) == (6, 1, 1)
        assert not merged.damaged
        assert np.array_equal(FeatureStore.open(target).read(keys), rows)
        assert run.id in RunStore(target)
    assert run.id in RunStore(machine("three", "y"))


def test_a_layer_may_be_at_an_address(machine, tmp_path):
    _, keys, rows = a_store(machine("one"))
    before = objects(machine("one"))
    remember_layers(locate(tmp_path / "own"), [machine("other")])
    address = machine("third").show()
    assert address in (tmp_path / "own" / "layers.json").read_text()
    own = FeatureStore.open(tmp_path / "own")
    assert not own.missing(keys).any()
    assert np.array_equal(own.read(keys), rows)
    assert objects(machine("one")) == before


def test_what_is_too_large_for_its_kind_is_not_fetched(machine, monkeypatch, caplog):
    """The kind: whatever size an object has at an address, it is brought to this disk."""
    run = publish(RunStore(machine("one")))
    name = f"runs/{run.id[:16]}/run.json"
    Manifest.write(PETS, machine("one"))
    monkeypatch.setattr("stores.storage.remote.small_files.RECORD_BYTES", 100)
    other = machine("other")
    assert RunStore(other).table().num_rows == 0
    assert not (other / name).path.exists()
    assert f"/{name}: " in caplog.text
    assert "bytes, expected at most 100; passed over" in caplog.text
    assert Manifest.read(other, "pets").digest == PETS.digest


def test_what_has_no_room_is_not_fetched(machine, monkeypatch):
    Manifest.write(PETS, machine("one"))
    _, keys, _ = a_store(machine("one"))
    other = machine("other")
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(StoreFull, match=r"bytes of memory://.*, 1000 are free"):
        Manifest.read(other, "pets")
    with pytest.raises(StoreFull, match=r"bytes of memory://.*, 1000 are free"):
        FeatureStore(other, RECIPE).read(keys)
