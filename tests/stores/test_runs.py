import json
import os
import shutil
from dataclasses import replace
from multiprocessing.pool import ThreadPool

import pyarrow as pa
import pytest

from stores import CorruptStore, NewerFormat, NotInStore, RunStore, StoreFull, StoreReadOnly
from stores.publish import publish_file
from stores.run import RUN_VERSION
from stores.tables import read_table, table_bytes
from tests.stores.samples import flip, in_child, snapshot
from tests.stores.test_run import RUN

OTHER = replace(RUN, seed=8, created="2026-01-02T00:00:00+00:00")
HISTORY = [{"loss": 1.0, "accuracy": 0.5}, {"loss": 0.5, "accuracy": 0.75}]


def predictions(split="validation"):
    columns = {"key": [b"k" * 32], "split": [split], "label": ["cat"], "predicted": ["ação"]}
    return pa.table(columns | {"scores": [[0.25, 0.75]]})


def save_model(folder):
    (folder / "model.txt").write_text("the model")


def publish(store, run=RUN, *, history=HISTORY, save=save_model):
    return store.publish(run, history=history, predictions=predictions(), save_model=save)


def look(store, run=RUN.id, accuracy=0.5):
    return store.open_test(
        run,
        asked_by="report",
        metrics={"test_accuracy": accuracy},
        predictions=predictions("test"),
    )


@pytest.fixture
def runs(tmp_path):
    store = RunStore(tmp_path)
    publish(store)
    return store


@pytest.fixture
def table_of(runs):
    """Return a function that reads `runs.parquet` as it is now."""
    path = runs.folder / "runs.parquet"
    return lambda: read_table(path, kind="runs", version=RUN_VERSION)[0]


@pytest.fixture
def run_json(runs):
    return runs.folder / RUN.id[:16] / "run.json"


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
    way_out = rf"model is damaged .*; delete {runs.folder / RUN.id[:16]}, train again"
    with pytest.raises(CorruptStore, match=way_out):
        runs.model_folder(RUN.id)


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
    with pytest.raises(NotInStore, match="more than one"):
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


def test_openings_of_a_data_set_are_counted_over_all_its_runs(runs):
    foreign = replace(RUN, dataset_digest="e" * 64)
    for run in publish(runs), publish(runs, OTHER), publish(runs, foreign):
        look(runs, run.id)
    look(runs, OTHER.id)
    assert runs.times_opened(RUN.dataset_digest) == 3
    assert runs.times_opened(foreign.dataset_digest) == 1
    assert runs.times_opened("f" * 64) == 0


def test_openings_with_a_damaged_run_are_counted(runs, run_json):
    look(runs)
    run_json.write_text("damaged")
    assert runs.times_opened(RUN.dataset_digest) == 1


def test_an_unknown_runs_test_is_not_opened(runs):
    before = snapshot(runs.folder)
    with pytest.raises(NotInStore):
        look(runs, "0" * 64)
    assert snapshot(runs.folder) == before


def test_predictions_on_test_are_those_of_the_last_look(runs):
    look(runs)
    assert runs.predictions(RUN.id)["split"].to_pylist() == ["validation", "test"]
    look(runs)
    assert runs.predictions(RUN.id)["split"].to_pylist() == ["validation", "test"]


def test_the_table_has_a_row_for_each_run_newest_last(runs):
    publish(runs, OTHER)
    look(runs, accuracy=0.5)
    look(runs, accuracy=0.25)
    first, last = runs.table().to_pylist()
    assert (first["run"], last["run"]) == (RUN.id, OTHER.id)
    assert first["validation_accuracy"] == 0.9
    assert (first["test_accuracy"], first["test_openings"]) == (0.25, 2)
    assert (last["test_accuracy"], last["test_openings"]) == (None, 0)
    assert json.loads(first["head_specification"]) == RUN.head
    assert first["classes"] == ["cat", "ação"]


def test_the_table_is_kept_while_it_is_right(runs):
    table = runs.table()
    path = runs.folder / "runs.parquet"
    before = path.stat()
    assert read_table(path, kind="runs", version=RUN_VERSION)[0].equals(table)
    assert runs.table().equals(table)
    assert path.stat().st_ino == before.st_ino


@pytest.mark.parametrize("damage", [b"", b"damaged", None])
def test_a_damaged_table_is_made_again(runs, damage):
    whole = runs.table()
    path = runs.folder / "runs.parquet"
    content = path.read_bytes()
    path.write_bytes(content[:-1] if damage is None else damage)
    assert runs.table().equals(whole)
    assert path.read_bytes() == content


def test_a_stale_table_is_made_again(runs):
    runs.table()
    publish(runs, OTHER)
    look(runs)
    assert runs.table().num_rows == 2
    path = runs.folder / "runs.parquet"
    stored = read_table(path, kind="runs", version=RUN_VERSION)[0]
    assert stored["test_openings"].to_pylist() == [1, 0]


def test_the_table_is_made_when_a_run_is_published_and_when_its_test_is_opened(runs, table_of):
    assert table_of()["run"].to_pylist() == [RUN.id]
    publish(runs, OTHER)
    assert table_of()["test_openings"].to_pylist() == [0, 0]
    look(runs, OTHER.id)
    assert table_of()["test_openings"].to_pylist() == [0, 1]


def test_the_table_holds_a_run_that_was_trained_again_as_it_is_now(runs, table_of):
    shutil.rmtree(runs.folder / RUN.id[:16])
    publish(runs, replace(RUN, metrics={"validation_accuracy": 0.8}))
    assert table_of()["validation_accuracy"].to_pylist() == [0.8]


def test_an_older_table_does_not_replace_a_newer_one(runs, table_of, monkeypatch):
    def overtaken(content, final, *, tmp):
        if final.name == "runs.parquet":
            monkeypatch.undo()
            others.append(pool.apply_async(publish, (runs, OTHER)))
            others[0].wait(0.5)
        publish_file(content, final, tmp=tmp)

    others = []
    with ThreadPool(1) as pool:
        monkeypatch.setattr("stores.runs.publish_file", overtaken)
        publish(runs, replace(RUN, seed=9))
        others[0].get()
    assert table_of().num_rows == 3


@pytest.mark.parametrize("damaged", ["run.json", "runs.parquet"])
def test_what_is_wrong_with_others_keeps_no_run_from_being_stored(runs, run_json, damaged, caplog):
    if damaged == "run.json":
        run_json.write_text("damaged")
    else:
        newer = table_bytes(pa.table({"new": [1]}), kind="runs", version=RUN_VERSION + 1)
        (runs.folder / "runs.parquet").write_bytes(newer)
    assert publish(runs, OTHER) == OTHER
    assert "runs.parquet is not brought up to date: " in caplog.text


def test_a_newer_table_is_left_alone(runs):
    path = runs.folder / "runs.parquet"
    path.write_bytes(table_bytes(pa.table({"new": [1]}), kind="runs", version=RUN_VERSION + 1))
    content = path.read_bytes()
    with pytest.raises(NewerFormat, match="update gargalo"):
        runs.table()
    assert path.read_bytes() == content


def test_a_damaged_run_is_corrupt(runs, run_json):
    run_json.write_text(run_json.read_text().replace("0.9", "0.99"))
    for call in (lambda: runs.read(RUN.id), runs.table):
        with pytest.raises(CorruptStore, match=r"run.json: .*delete its folder, train again"):
            call()


def test_the_way_out_of_a_damaged_run_works(runs, run_json):
    run_json.write_text("damaged")
    with pytest.raises(CorruptStore):
        runs.read(RUN.id)
    for path in sorted(run_json.parent.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    run_json.parent.rmdir()
    assert publish(runs) == RUN


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
