import json
import shutil
from dataclasses import replace
from multiprocessing.pool import ThreadPool

import pyarrow as pa
import pytest

from stores import NewerFormat
from stores.runs.record import RUN_VERSION
from stores.storage.publish import publish_file
from stores.storage.stamped_parquet import read_table, table_bytes
from tests.stores.runs.test_record import RUN
from tests.support.runs import OTHER, look, publish


@pytest.fixture
def table_of(runs):
    """Return a function that reads `runs.parquet` as it is now."""
    path = runs.folder / "runs.parquet"
    return lambda: read_table(path, kind="runs", version=RUN_VERSION)[0]


def test_the_table_has_a_row_for_each_run_newest_last(runs):
    publish(runs, OTHER)
    look(runs, accuracy=0.5)
    look(runs, accuracy=0.25)
    first, last = runs.table().to_pylist()
    assert (first["run"], last["run"]) == (RUN.id, OTHER.id)
    assert first["validation_accuracy"] == 0.75
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


def test_a_run_that_no_table_can_hold_is_left_out(runs, caplog):
    publish(runs, replace(OTHER, seed=2**70))
    assert runs.table()["run"].to_pylist() == [RUN.id]
    assert "left out of the table of runs" in caplog.text


def test_the_table_is_brought_up_to_date_with_runs_and_looks_at_the_test_split(runs, table_of):
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
        monkeypatch.setattr("stores.storage.location.publish_file", overtaken)
        publish(runs, replace(RUN, seed=9))
        others[0].get()
    assert table_of().num_rows == 3


@pytest.mark.parametrize("damaged", ["damaged", '{"format": 9, "sha256": "", "run": {}}'])
def test_a_run_that_cannot_be_read_hides_no_other(runs, run_json, damaged, caplog):
    run_json.write_text(damaged)
    assert publish(runs, OTHER) == OTHER
    assert runs.table()["run"].to_pylist() == [OTHER.id]
    assert "run.json: " in caplog.text
    assert "left out of the table" in caplog.text


def test_a_newer_table_keeps_no_run_from_being_stored(runs, caplog):
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
