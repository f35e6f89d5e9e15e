"""A test evaluation that is lost, damaged or of another run is found, and never silently none."""

import json
import shutil
from dataclasses import replace

import pyarrow as pa
import pytest

from stores import CorruptStore
from stores.runs.record import RUN_VERSION, SINCE
from stores.storage.digests import json_digest
from stores.storage.stamped_parquet import table_bytes
from tests.stores.runs.test_record import RUN
from tests.support.parts import predictions
from tests.support.runs import look, opening_paths, publish

NAME = f"run {RUN.id[:16]}"
SEEN = [b"k" * 32]


def records(runs, run=RUN):
    return opening_paths(runs.folder / run.id[:16])


@pytest.mark.parametrize("lost", [[".json"], [".parquet"], [".json", ".parquet"]])
def test_a_lost_evaluation_is_found_and_stays_counted(runs, lost):
    look(runs)
    look(runs)
    first = records(runs)[0]
    for ending in lost:
        first.with_suffix(ending).unlink()
    (finding,) = runs.verify()[NAME]
    assert "gone; evaluate the test split again, with --open-test" in finding
    for read in (runs.openings, runs.predictions):
        with pytest.raises(CorruptStore, match=r"(is|are) gone"):
            read(RUN.id)
    assert runs.times_opened(SEEN) == 2
    look(runs)
    assert not runs.verify()[NAME]
    assert len(runs.openings(RUN.id)) == 2
    assert runs.times_opened(SEEN) == 3
    assert runs.table()["test_openings"].to_pylist() == [3]


@pytest.mark.parametrize("listed_again", [False, True])
def test_of_evaluations_whose_files_are_all_gone_the_table_of_runs_knows(runs, listed_again):
    look(runs)
    look(runs)
    shutil.rmtree(runs.folder / RUN.id[:16] / "test")
    if listed_again:
        publish(runs, replace(RUN, seed=9))
        runs.table()
    (finding,) = runs.verify()[NAME]
    assert "found 0 test evaluations, runs.parquet lists 2" in finding
    look(runs)
    assert not runs.verify()[NAME]
    assert runs.times_opened(SEEN) == 3


def test_predictions_of_another_evaluation_are_damage(runs):
    look(runs, accuracy=0.5)
    look(runs, accuracy=0.75)
    one, two = (path.with_suffix(".parquet") for path in records(runs))
    one.write_bytes(two.read_bytes())
    (finding,) = runs.verify()[NAME]
    assert "another than the record names" in finding


def test_an_evaluation_of_another_run_is_damage(runs):
    other = publish(runs, replace(RUN, seed=9))
    look(runs, other.id)
    shutil.copytree(
        runs.folder / other.id[:16] / "test", runs.folder / RUN.id[:16] / "test", dirs_exist_ok=True
    )
    (finding,) = runs.verify()[NAME]
    assert f"it is of run {other.id[:16]}" in finding
    with pytest.raises(CorruptStore, match="it is of run"):
        runs.openings(RUN.id)


@pytest.mark.parametrize(
    ("table", "finding"),
    [
        (predictions("test", accuracy=0.75), "test_accuracy is 0.7500 by these predictions, 0.25"),
        (predictions("test", accuracy=0.25).drop(["label"]), "no column label"),
        (predictions("test", accuracy=0.25).slice(0, 0), "test_accuracy is nan"),
    ],
)
def test_an_evaluation_of_an_older_format_is_checked_by_its_figures(runs, table, finding):
    look(runs, accuracy=0.25)
    (path,) = records(runs)
    older(path)
    assert not runs.verify()[NAME]
    content = table_bytes(table, kind="predictions", version=3)
    path.with_suffix(".parquet").write_bytes(content)
    (found,) = runs.verify()[NAME]
    assert finding in found


def older(path):
    """Make the record of an evaluation one of format 3."""
    body = json.loads(path.read_text())["run"]
    body = {name: value for name, value in body.items() if SINCE.get(name, 1) <= 3}
    path.write_text(json.dumps({"format": 3, "sha256": json_digest(body), "run": body}))


@pytest.mark.parametrize("name", ["../../../x", "/etc/passwd", "", "a.b", "x" * 300, "a\nb"])
def test_a_name_that_leads_elsewhere_is_damage(runs, name):
    look(runs)
    (path,) = records(runs)
    body = json.loads(path.read_text())["run"] | {"lost": [name]}
    about = {"format": 4, "sha256": json_digest(body), "run": body}
    path.write_text(json.dumps(about))
    (finding,) = runs.verify()[NAME]
    assert "json: the file is damaged" in finding


@pytest.mark.parametrize("name", ["Thumbs.db", "a b.json", "notes.txt"])
def test_what_is_no_evaluation_is_not_taken_for_one(runs, name):
    look(runs)
    (runs.folder / RUN.id[:16] / "test" / name).write_text("x")
    assert len(runs.openings(RUN.id)) == runs.times_opened(SEEN) == 1
    look(runs)
    assert not runs.verify()[NAME]


@pytest.mark.parametrize("keys", [[b"k" * 2**16] * 3000, [None], ["a text"], [1]])
def test_keys_that_are_none_are_not_taken_out_of_their_table(runs, keys):
    """The kind: a column is made a Python list before anybody looks at what is in it."""
    look(runs)
    (record,) = records(runs)
    content = table_bytes(pa.table({"key": keys}), kind="predictions", version=RUN_VERSION)
    record.with_suffix(".parquet").write_bytes(content)
    assert runs.times_opened([b"l" * 32]) == 1  # nobody can tell
    with pytest.raises(CorruptStore, match="another than the record names"):
        runs.openings(RUN.id)
