"""The parts of a run are bound to its record: what is exchanged or contradicts it is damage."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from stores import CorruptStore, RunStore
from stores.runs.parts import HISTORY, PREDICTIONS
from stores.runs.record import SINCE
from stores.storage.digests import json_digest
from stores.storage.stamped_parquet import table_bytes
from tests.stores.runs.test_record import RUN
from tests.support.parts import predictions
from tests.support.runs import OTHER, look, publish, save_model

HERE = RUN.id[:16]


def write_record(runs, version, **changes):
    """Write a run's record as another version of the software did, with other values."""
    path = runs.folder / HERE / "run.json"
    body = json.loads(path.read_text())["run"] | changes
    body = {name: value for name, value in body.items() if SINCE.get(name, 1) <= version}
    path.write_text(json.dumps({"format": version, "sha256": json_digest(body), "run": body}))


def write_predictions(runs, table):
    path = runs.folder / HERE / PREDICTIONS
    path.write_bytes(table_bytes(table, kind="predictions", version=3))


@pytest.mark.parametrize("part", [HISTORY, PREDICTIONS])
def test_what_is_exchanged_between_two_runs_is_damage_to_both(runs, part):
    said = predictions(keys=[b"l" * 32])  # whole in themselves, and right by the figures
    runs.publish(OTHER, history=[{"loss": 2.0}], predictions=said, save_model=save_model)
    assert not any(runs.verify().values())
    one, two = (runs.folder / run.id[:16] / part for run in (RUN, OTHER))
    kept = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(kept)
    assert all("another than the record names" in found for (found,) in runs.verify().values())
    assert RUN.id not in runs
    with pytest.raises(CorruptStore, match=f"{part}: .*; train again"):
        getattr(runs, part.removesuffix(".parquet"))(RUN.id)
    publish(runs)
    assert RUN.id in runs


@pytest.mark.parametrize("folds", [0, 5])
@pytest.mark.parametrize("version", [3, 4])
def test_an_accuracy_that_its_predictions_do_not_have_is_damage(tmp_path, version, folds):
    runs, run = RunStore(tmp_path), replace(RUN, folds=folds)
    publish(runs, run)
    (runs.folder / run.id[:16]).rename(runs.folder / HERE)
    write_record(runs, version, metrics={"validation_accuracy": 0.2}, folds=0)
    (finding,) = runs.verify()[f"run {HERE}"]
    assert "validation_accuracy is 0.7500 by these predictions, 0.2000 in the record" in finding
    assert RUN.id not in runs


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize(
    "absurd",
    [
        {"metrics": {"train_accuracy": 7.5}},
        {"metrics": {"validation_macro_f1": -3.0}},
        {"metrics": {"validation_log_loss": -1.0}},
        {"metrics": {"validation_roc_area": 99.0}},
        {"metrics": {"validation_rms_calibration_error_low": -1.0}},
        {"failure": "it diverged"},
    ],
)
def test_figures_that_no_training_gives_are_damage(runs, version, absurd):
    """The kind: a record with its own digest is believed, whatever it says."""
    write_record(runs, version, **absurd)
    (finding,) = runs.verify()[f"run {HERE}"]
    assert "damaged: " in finding or "a run that failed has metrics or a model" in finding
    assert RUN.id not in runs
    assert runs.table().num_rows == 0


def test_figures_at_the_ends_of_what_can_be_are_whole(runs):
    highest = {"validation_log_loss": 40.0, "validation_roc_area": 1.0 + 1e-9, "other": -7.0}
    write_record(runs, 4, metrics=RUN.metrics | highest)
    assert not any(runs.verify().values())


def test_predictions_bind_each_accuracy(tmp_path):
    """The kind: one figure is held against the predictions, and the one beside it is not."""
    runs = RunStore(tmp_path)
    said = pa.concat_tables([predictions(), predictions("train", [b"t" * 32], accuracy=0.5)])
    for metrics, wrong in (
        ({"validation_accuracy": 0.75, "train_accuracy": 0.5}, ""),
        ({"validation_accuracy": 0.75, "train_accuracy": 1.0}, "train_accuracy is 0.5000 by these"),
        ({"train_accuracy": 0.5}, "the record has no validation_accuracy of these 4 predictions"),
    ):
        run = replace(RUN, metrics=metrics, seed=len(metrics) + 10 * bool(wrong))
        runs.publish(run, history=[], predictions=said, save_model=save_model)
        assert wrong in str(runs.verify()[f"run {run.id[:16]}"])
        assert (run.id in runs) != bool(wrong)


def test_a_run_of_an_older_format_is_whole_without_digests(runs):
    write_record(runs, 3)
    assert RUN.id in runs
    assert not any(runs.verify().values())
    look(runs)
    assert len(runs.openings(RUN.id)) == 1


@pytest.mark.parametrize("metric", [np.float32(0.7).item(), 0.7])
def test_an_accuracy_may_be_rounded_as_float32(tmp_path, metric):
    runs = RunStore(tmp_path)
    table = predictions(keys=[b"k" * 32] * 5, accuracy=0.75).slice(0, 10)
    right = sum(a == b for a, b in zip(table["label"], table["predicted"], strict=True))
    run = replace(RUN, metrics={"validation_accuracy": metric * right / 7})
    runs.publish(run, history=[], predictions=table, save_model=lambda _: None)
    assert run.id in runs


def with_column(name, values, kind):
    table = predictions()
    return table.set_column(
        table.column_names.index(name), name, pa.array(values * table.num_rows, kind)
    )


@pytest.mark.parametrize(
    "table",
    [
        predictions().drop(["scores"]),
        predictions().slice(0, 0),
        with_column("label", ["dog"], pa.string()),
        with_column("predicted", [None], pa.string()),
        with_column("predicted", [0], pa.int64()),
        with_column("split", ["training"], pa.string()),
        with_column("scores", [[0.5]], pa.list_(pa.float64())),
        with_column("scores", [[0.5, None]], pa.list_(pa.float64())),
        with_column("scores", [["a", "b"]], pa.list_(pa.string())),
        with_column("key", [b"short"], pa.binary()),
        predictions().append_column("group", [pa.nulls(4, pa.int64())]),
        predictions().append_column("group", [["a"] * 4]),
        pa.table({}),
    ],
)
def test_predictions_that_are_absurd_are_damage(runs, table):
    write_record(runs, 3)
    write_predictions(runs, table)
    (finding,) = runs.verify()[f"run {HERE}"]
    assert finding.endswith("; train again")
    with pytest.raises(CorruptStore, match=PREDICTIONS):
        runs.predictions(RUN.id)


@pytest.mark.parametrize("table", [pa.table({}), pa.table({"epoch": [1], "loss": ["low"]})])
def test_a_history_that_is_absurd_is_damage(runs, table):
    write_record(runs, 3)
    path = runs.folder / HERE / HISTORY
    path.write_bytes(table_bytes(table, kind="history", version=3))
    assert len(runs.verify()[f"run {HERE}"]) == 1
    with pytest.raises(CorruptStore, match=HISTORY):
        runs.history(RUN.id)


@pytest.mark.parametrize(
    ("name", "verb"), [("run.json", "read"), (HISTORY, "history"), (PREDICTIONS, "predictions")]
)
def test_a_folder_in_the_place_of_a_file_is_damage(runs, name, verb):
    path = runs.folder / HERE / name
    path.unlink()
    path.mkdir()
    assert len(runs.verify()[f"run {HERE}"]) == 1
    assert RUN.id not in runs
    with pytest.raises(CorruptStore, match="found a folder; move it out of the store; train again"):
        getattr(runs, verb)(RUN.id)
    assert runs.table().num_rows == (name != "run.json")
    shutil.rmtree(path)
    publish(runs)
    assert RUN.id in runs
