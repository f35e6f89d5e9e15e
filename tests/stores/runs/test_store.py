import json
import os
import re
from dataclasses import replace

import pytest

from stores import CorruptStore, NewerFormat, NotInStore, RunStore, StoreFull, StoreReadOnly
from stores.runs.record import RUN_VERSION
from tests.stores.runs.test_record import RUN
from tests.support.parts import predictions
from tests.support.runs import OTHER, look, publish, save_model
from tests.support.samples import flip, in_child, snapshot


def test_nothing_is_created_before_the_first_run(tmp_path):
    runs = RunStore(tmp_path / "store")
    assert RUN.id not in runs
    assert runs.table().num_rows == 0
    with pytest.raises(NotInStore, match="there: none"):
        runs.read(RUN.id)
    assert not list(tmp_path.iterdir())


def test_a_run_is_kept_with_all_that_belongs_to_it(runs):
    assert RUN.id in runs
    assert runs.read(RUN.id) == RUN
    assert (runs.model_folder(RUN.id) / "model.txt").read_text() == "the model"
    assert runs.history(RUN.id).to_pylist() == [
        {"epoch": 1, "loss": 1.0, "accuracy": 0.5},
        {"epoch": 2, "loss": 0.5, "accuracy": 0.75},
    ]
    assert runs.predictions(RUN.id).equals(predictions())
    assert not list((runs.folder / "tmp").iterdir())


def test_a_run_knows_the_digests_of_its_model(tmp_path):
    told = publish(RunStore(tmp_path), replace(RUN, model_digests={}))
    assert told == RunStore(tmp_path).read(RUN.id) == RUN


def test_a_model_may_have_folders(tmp_path):
    def save(folder):
        (folder / "variables").mkdir()
        (folder / "variables" / "one").touch()

    assert list(publish(RunStore(tmp_path), save=save).model_digests) == ["variables/one"]
    assert RunStore(tmp_path).model_folder(RUN.id).is_dir()


@pytest.mark.parametrize(
    "damage",
    [
        lambda model: flip(model, 3),
        lambda model: os.truncate(model, 3),
        lambda model: model.unlink(),
        lambda model: model.with_name("foreign").touch(),
    ],
)
def test_a_damaged_model_is_not_given_out(runs, damage):
    damage(runs.model_folder(RUN.id) / "model.txt")
    way_out = "model is damaged .*; train again"
    with pytest.raises(CorruptStore, match=way_out):
        runs.model_folder(RUN.id)
    assert RUN.id not in runs
    assert publish(runs) == RUN
    assert (runs.model_folder(RUN.id) / "model.txt").read_text() == "the model"


def test_a_head_without_epochs_has_an_empty_history(tmp_path):
    publish(RunStore(tmp_path), history=[])
    assert RunStore(tmp_path).history(RUN.id).num_rows == 0


def test_a_metric_that_comes_late_is_kept(tmp_path):
    publish(RunStore(tmp_path), history=[{"loss": 1}, {"loss": 0.5, "validation_loss": 0.6}])
    history = RunStore(tmp_path).history(RUN.id)
    assert history["validation_loss"].to_pylist() == [None, 0.6]
    assert history["loss"].to_pylist() == [1.0, 0.5]


def test_of_one_run_published_twice_the_first_is_kept(runs):
    again = replace(RUN, metrics={"validation_accuracy": 0.1}, created="later")
    assert publish(runs, again, save=lambda folder: (folder / "x").touch()) == RUN
    assert (runs.model_folder(RUN.id) / "model.txt").exists()
    assert not list((runs.folder / "tmp").iterdir())


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, MemoryError])
def test_a_model_that_is_not_saved_leaves_no_run(tmp_path, error):
    def fail(folder):
        save_model(folder)
        raise error

    with pytest.raises(error):
        publish(RunStore(tmp_path), save=fail)
    assert RUN.id not in RunStore(tmp_path)
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["tmp"]
    assert not list((tmp_path / "runs" / "tmp").iterdir())


def test_a_full_disk_leaves_no_run(small_disk):
    with pytest.raises(StoreFull):
        publish(RunStore(small_disk), save=lambda f: (f / "big").write_bytes(bytes(2**20)))
    assert RUN.id not in RunStore(small_disk)
    assert publish(RunStore(small_disk)) == RUN


def test_a_run_is_found_by_the_beginning_of_its_id(runs):
    publish(runs, OTHER)
    for length in (5, 16, 30, 64):
        assert runs.read(OTHER.id[:length]) == OTHER


@pytest.mark.parametrize("verb", ["history", "predictions", "openings", "model_folder"])
def test_all_of_a_run_is_found_by_the_beginning_of_its_id(runs, verb):
    look(runs)
    assert str(getattr(runs, verb)(RUN.id[:6])) == str(getattr(runs, verb)(RUN.id))


@pytest.mark.parametrize("verb", ["read", "history", "predictions", "openings"])
@pytest.mark.parametrize(
    "run", ["", "0" * 64, "x", "*", "?", "**", "/", "/etc", "..", RUN.id[:20] + "0" * 44]
)
def test_an_unknown_id_is_not_in_store(runs, verb, run):
    publish(runs, OTHER)
    with pytest.raises(NotInStore, match=f"there: .*{OTHER.id[:16]}"):
        getattr(runs, verb)(run)


def test_an_id_that_fits_two_runs_is_not_in_store(runs):
    number = next(n for n in range(10_000) if replace(RUN, seed=n + 9).id[0] == RUN.id[0])
    publish(runs, replace(RUN, seed=number + 9))
    with pytest.raises(NotInStore, match="2 runs begin with"):
        runs.read(RUN.id[0])


def test_openings_are_counted(runs):
    assert runs.openings(RUN.id) == []
    openings = [look(runs, accuracy=value) for value in (0.5, 0.25, 0.75)]
    assert runs.openings(RUN.id) == openings
    assert RunStore(runs.folder.parent).openings(RUN.id) == openings
    assert openings[0].asked_by == "report"
    assert [opening.opened for opening in openings] == sorted(o.opened for o in openings)


def test_an_opening_by_the_beginning_of_an_id_is_counted_too(runs):
    look(runs, RUN.id[:8])
    assert len(runs.openings(RUN.id)) == 1
    folders = sorted(path.name for path in runs.folder.iterdir() if path.is_dir())
    assert folders == [RUN.id[:16], "tmp"]


def test_looks_at_an_image_are_counted_over_all_runs_and_data_sets(runs):
    grown = publish(runs, replace(RUN, dataset="grown", dataset_digest="e" * 64))
    other = publish(runs, OTHER)
    look(runs)
    look(runs, grown.id, keys=[b"l" * 32, b"k" * 32])
    look(runs, other.id, keys=[b"m" * 32])
    assert runs.times_opened([b"k" * 32]) == 2
    assert runs.times_opened([b"k" * 32, b"l" * 32, b"m" * 32]) == 3
    assert runs.times_opened([b"n" * 32]) == runs.times_opened([]) == 0


@pytest.mark.parametrize("damage", ["run.json", "test/*.json", "test/*.parquet"])
def test_damaged_looks_are_counted(runs, damage):
    look(runs)
    (path,) = (runs.folder / RUN.id[:16]).glob(damage)
    path.write_text("damaged")
    assert runs.times_opened([b"k" * 32]) == 1
    if "parquet" in damage:
        assert runs.times_opened([b"n" * 32]) == 1  # it may have been this one
        with pytest.raises(CorruptStore, match="evaluate the test split again"):
            runs.predictions(RUN.id)


def test_an_unknown_runs_test_is_not_opened(runs):
    before = snapshot(runs.folder)
    with pytest.raises(NotInStore):
        look(runs, "0" * 64)
    assert snapshot(runs.folder) == before


def test_predictions_on_test_are_those_of_the_last_look(runs):
    look(runs)
    assert runs.predictions(RUN.id)["split"].to_pylist() == ["validation"] * 4 + ["test"] * 4
    look(runs)
    assert runs.predictions(RUN.id)["split"].to_pylist() == ["validation"] * 4 + ["test"] * 4


def test_a_damaged_run_is_corrupt_and_its_way_out_keeps_its_looks(runs, run_json):
    look(runs)
    run_json.write_text(run_json.read_text().replace("0.75", "0.5"))
    with pytest.raises(CorruptStore, match=r"run.json: the file is damaged; train again"):
        runs.read(RUN.id)
    assert RUN.id not in runs
    assert publish(runs) == RUN
    assert len(runs.openings(RUN.id)) == 1
    assert runs.verify() == {f"run {RUN.id[:16]}": []}


def test_a_replacement_that_fails_leaves_what_was_there(runs, run_json, monkeypatch):
    look(runs)
    run_json.unlink()
    before = snapshot(runs.folder / RUN.id[:16])

    def fail(*_):
        raise OSError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr("stores.storage.publish._sync_tree", fail)
        with pytest.raises(OSError, match="the disk is gone"):
            publish(runs)
    assert snapshot(runs.folder / RUN.id[:16]) == before
    assert runs.times_opened([b"k" * 32]) == 1
    (runs.folder / RUN.id[:16] / "model" / "foreign").touch()
    publish(runs)
    assert runs.verify() == {f"run {RUN.id[:16]}": []}
    assert runs.times_opened([b"k" * 32]) == 1


@pytest.mark.parametrize(
    ("part", "finding"),
    [
        ("run.json", "run.json: the file is damaged"),
        ("history.parquet", "history.parquet: the file is damaged.*; train again"),
        ("predictions.parquet", "predictions.parquet: the file is damaged"),
        ("model/model.txt", "the model is damaged"),
        ("test/*.parquet", "parquet: the file is damaged.*; evaluate the test split again"),
        ("test/*.json", "the file is damaged; evaluate the test split again"),
    ],
)
def test_verify_finds_what_is_wrong_with_a_run(runs, part, finding):
    look(runs)
    assert not any(runs.verify().values())
    (path,) = (runs.folder / RUN.id[:16]).glob(part)
    path.write_text("damaged")
    (findings,) = runs.verify().values()
    assert re.search(finding, findings[0])
    path.unlink()
    assert any(runs.verify().values())
    if "test/" in part:
        look(runs)  # its fix; what is lost stays counted
    else:
        publish(runs)
    assert not any(runs.verify().values())
    assert runs.times_opened([b"k" * 32]) == 1 + ("test/" in part)


def test_a_run_in_anothers_folder_is_corrupt(runs, run_json):
    run_json.write_text(OTHER.to_json())
    with pytest.raises(CorruptStore, match=f"found run {OTHER.id}"):
        runs.read(RUN.id)


def test_a_newer_run_is_refused(runs, run_json):
    text = json.dumps(json.loads(run_json.read_text()) | {"format": RUN_VERSION + 1})
    run_json.write_text(text)
    with pytest.raises(NewerFormat, match="update gargalo"):
        runs.read(RUN.id)
    assert run_json.read_text() == text


def test_a_damaged_opening_is_corrupt_and_not_forgotten(runs):
    look(runs)
    (path,) = (runs.folder / RUN.id[:16] / "test").glob("*.json")
    path.write_text(path.read_text().replace("0.5", "0.7"))
    with pytest.raises(CorruptStore):
        runs.openings(RUN.id)


@pytest.mark.parametrize("name", ["history", "predictions"])
def test_a_damaged_part_of_a_run_is_corrupt(runs, name):
    path = runs.folder / RUN.id[:16] / f"{name}.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorruptStore, match=path.name):
        getattr(runs, name)(RUN.id)


def test_a_read_only_run_store_is_read_and_refuses_writes(public, sealed):
    runs = RunStore(public)
    publish(runs)
    sealed(public)
    assert in_child(lambda: runs.read(RUN.id), nobody=True) == RUN
    assert in_child(lambda: runs.table().num_rows, nobody=True) == 1
    for write in (lambda: publish(runs, OTHER), lambda: look(runs)):
        with pytest.raises(StoreReadOnly):
            in_child(write, nobody=True)
    there = sorted(path.name for path in (public / "runs").iterdir())
    assert there == sorted([RUN.id[:16], "lock", "runs.parquet", "tmp"])
