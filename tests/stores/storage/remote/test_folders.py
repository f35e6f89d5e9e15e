"""Runs at an address, which two machines publish at a time, or replace where they are damaged."""

import pytest

from stores import RunStore
from stores.storage.remote.folders import put_folder
from tests.stores.runs.test_record import RUN
from tests.support.runs import look, publish, save_model
from tests.support.samples import flip, objects, remote_of, stored

FOLDER = f"runs/{RUN.id[:16]}"


def save_other(folder):
    (folder / "model.txt").write_text("a model of other bits")


def refused(store, save=save_other):
    """Publish while another machine publishes the same run."""
    with pytest.raises(OSError, match="another machine publishes this just now"):
        publish(store, save=save)


def times_opened(mirror):
    return RunStore(mirror).times_opened([b"k" * 32])


def before_record(mirror, monkeypatch, call):
    """Have something happen once before this machine puts the record of a run."""
    remote = remote_of(mirror)
    put_first = remote.put_first

    def put(source, target):
        if target.name == "run.json":
            monkeypatch.setattr(remote, "put_first", put_first)
            call()
        return put_first(source, target)

    monkeypatch.setattr(remote, "put_first", put)


def test_a_record_is_put_last_and_deleted_first(machine, monkeypatch):
    remote = remote_of(machine())
    mirror = remote.mirror
    (mirror / "draft" / "model").mkdir(parents=True)
    for name in ("a", "run.json", "z", "model/zz"):
        (mirror / "draft" / name).touch()
    put, deleted, put_file, rm_file = [], [], remote._files.put_file, remote._files.rm_file

    def putting(path, at, **how):
        put.append(at)
        put_file(path, at, **how)

    monkeypatch.setattr(remote._files, "put_file", putting)
    monkeypatch.setattr(remote._files, "rm_file", lambda at: deleted.append(at) or rm_file(at))
    for is_whole in None, lambda: True:
        assert put_folder(remote, mirror / "draft", mirror / "final", is_whole)
        assert not put_folder(remote, mirror / "draft", mirror / "final", is_whole)
        remote.delete(mirror / "final")
        assert put[-1].endswith("final/run.json")
        assert deleted[-4].endswith("final/run.json")
        assert len(put) == len(deleted)


def test_of_two_that_publish_at_a_time_the_first_keeps_its_files(machine, monkeypatch):
    one, other = RunStore(machine("one")), RunStore(machine("other"))
    before_record(one.root, monkeypatch, lambda: refused(other))
    first = publish(one)
    assert first.id in RunStore(machine("third"))
    assert publish(other, save=save_other) == first


def test_one_that_fails_takes_back_what_it_put(machine, monkeypatch):
    one, other = RunStore(machine("one")), RunStore(machine("other"))

    def fail():
        raise OSError("cut off")

    before_record(one.root, monkeypatch, fail)
    with pytest.raises(OSError, match="cut off"):
        publish(one)
    assert not [name for name in objects(other.root) if name.startswith(FOLDER)]


@pytest.mark.parametrize("name", ["model.txt", "of_another_kind.txt"])
def test_what_a_dead_writer_left_is_replaced_after_the_grace_time(machine, monkeypatch, name):
    one, other = RunStore(machine("one")), RunStore(machine("other"))
    remote_of(one.root).put((one.root / FOLDER / "model" / name).path, b"half of a run")
    refused(other)
    monkeypatch.setattr("stores.storage.remote.folders.GRACE_SECONDS", -1)
    assert publish(other).id in RunStore(machine("third"))


def test_a_file_that_is_deleted_meanwhile_is_found_out(machine, monkeypatch):
    one, other = RunStore(machine("one")), RunStore(machine("other"))
    model = other.root / FOLDER / "model"
    before_record(one.root, monkeypatch, model.delete)
    refused(one)
    assert publish(one).id in RunStore(machine("third"))


def test_a_killed_machine_goes_on_though_it_trains_to_other_bits(machine, monkeypatch):
    one = RunStore(machine("one"))
    for save in save_model, save_other:
        with monkeypatch.context() as patch:

            def die(patch=patch):
                patch.setattr(remote_of(one.root), "delete_names", lambda _: None)
                raise OSError("the end")

            before_record(one.root, patch, die)
            with pytest.raises(OSError, match="the end"):
                publish(one, save=save)
        refused(RunStore(machine("other")), save=lambda folder: (folder / "model.txt").touch())
    assert publish(one).id in RunStore(machine("third"))
    assert not list(one.root.path.glob("tmp/*.begun"))


@pytest.mark.parametrize("lost", ["model/model.txt", "run.json"])
def test_a_damaged_run_is_replaced_and_keeps_its_looks(machine, lost):
    one = RunStore(machine("one"))
    publish(one)
    look(one)
    stored(one.root, f"{FOLDER}/{lost}").getbuffer()[1] ^= 1
    other = RunStore(machine("other"))
    assert RUN.id not in other
    publish(other, save=save_other)
    assert RUN.id in RunStore(machine("third"))
    assert times_opened(machine("fourth")) == times_opened(other.root) == 1


def test_a_replacement_with_another_machines_model_is_not_acknowledged(machine, monkeypatch):
    one, other = RunStore(machine("one")), RunStore(machine("other"))
    publish(one)
    stored(one.root, f"{FOLDER}/model/model.txt").getbuffer()[1] ^= 1
    remote = remote_of(other.root)
    put_file = remote.put_file

    def put(source, target):
        if target.name == "run.json":
            model = one.place / RUN.id[:16] / "model" / "model.txt"
            model.publish(b"of another training", tmp=one.root / "tmp")
        put_file(source, target)

    monkeypatch.setattr(remote, "put_file", put)
    refused(other)
    monkeypatch.setattr(remote, "put_file", put_file)
    assert publish(other).id in RunStore(machine("third"))


def test_a_replacement_that_is_cut_off_costs_no_look(machine, monkeypatch):
    one = RunStore(machine("one"))
    publish(one)
    look(one)
    stored(one.root, f"{FOLDER}/model/model.txt").getbuffer()[1] ^= 1
    other = RunStore(machine("other"))

    def fail(*_):
        raise OSError("cut off")

    with monkeypatch.context() as patch:
        patch.setattr(remote_of(other.root), "put_file", fail)
        with pytest.raises(OSError, match="cut off"):
            publish(other)
    assert times_opened(other.root) == times_opened(machine("third")) == 1
    assert publish(other).id in RunStore(machine("third"))


def test_looks_outlive_the_record_of_their_run(machine):
    one, other = RunStore(machine("one")), RunStore(machine("other"))
    publish(one)
    look(one)
    assert times_opened(other.root) == 1
    (one.root / FOLDER / "run.json").delete()
    for mirror in (one.root, other.root, machine("third")):
        assert times_opened(mirror) == 1
        assert "run.json is gone; train again" in str(RunStore(mirror).verify())
    assert one.root.unfinished() == []
    assert publish(RunStore(machine("third"))).id in other
    assert times_opened(machine("fourth")) == times_opened(one.root) == 1


@pytest.mark.parametrize(
    "part", ["run.json", "history.parquet", "predictions.parquet", "model/model.txt", "test"]
)
def test_what_is_damaged_in_the_cache_alone_is_fetched_anew(machine, part):
    one = RunStore(machine("one"))
    publish(one)
    look(one)
    other = RunStore(machine("other"))
    assert RUN.id in other
    for store in (one, other):
        path = store.folder / RUN.id[:16] / part
        for damaged in path.iterdir() if path.is_dir() else [path]:
            flip(damaged, damaged.stat().st_size // 2)
        assert store.verify() == {f"run {RUN.id[:16]}": []}
        assert RUN.id in store
