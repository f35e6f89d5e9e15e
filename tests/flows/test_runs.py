import json

import pytest

from flows.summaries.runs import RunsListSummary
from flows.text.runs import runs_text

SMALL = ("--image-size", "32")
GRID = ("--head", "ridge", "--head", "knn", "--grid", "penalty=1,10,100", "--grid", "neighbors=1,3")


@pytest.fixture
def swept(once, run_json, photos):
    def sweep():
        run_json("extract", photos, *SMALL)
        return run_json("sweep", photos.name, *SMALL, *GRID)

    return once(sweep)


def test_the_leaderboard_in_its_ways(run, run_json, swept, tmp_path):
    best = swept["run"]
    listed = run_json("runs", "list")["runs"]
    assert len(listed) == 5
    assert listed[0]["validation_accuracy"] == max(row["validation_accuracy"] for row in listed)
    code, output, _ = run("runs", "show", best[:12])
    assert code == 0
    assert f"run {best}" in output
    assert "recall" in output
    other = next(row["run"] for row in listed if row["run"] != best)
    told = run_json("runs", "compare", best, other)
    assert 0 <= told["p_value"] <= 1
    run("runs", "export", tmp_path / "runs.json")
    assert len(json.loads((tmp_path / "runs.json").read_text())) == 5


def test_the_list_has_the_settings_in_which_the_runs_of_a_kind_differ(run, swept):
    _, output, _ = run("runs", "list")
    title, _, *lines, about = output.splitlines()
    assert about.startswith("expected: corrected for selection")
    assert title == "photos, 5 runs, by validation:"
    heads = {run["run"][:16]: run["specification"] for run in swept["runs"]}
    for line in lines:
        head = heads[line.split()[0]]
        name = {"ridge": "penalty", "knn": "neighbors"}[head["kind"]]
        assert line.endswith(f"  {name} {head[name]}")


def row(run, dataset="pets", digest="d" * 64, folds=0, accuracy=0.5):
    about = {"run": run * 64, "dataset": dataset, "dataset_digest": digest, "folds": folds}
    metrics = {"validation_accuracy": accuracy, "test_accuracy": None}
    about["target"] = "classes"
    return about | metrics | {"head": "svm", "failure": "", "seed": 0}


def test_only_runs_that_were_measured_alike_are_ranked_together():
    rows = [row("a"), row("b", "digits"), row("c", folds=5), row("d", digest="e" * 64), row("f")]
    lines = runs_text(RunsListSummary(rows, 1, "validation_accuracy")).splitlines()
    titles = [line for line in lines if line.endswith(":")]
    assert titles == [
        "pets (as it was with digest dddddddd), 2 runs, by validation:",
        "digits, 1 run, by validation:",
        "pets (as it was with digest dddddddd), 1 run, by 5 folds:",
        "pets (as it was with digest eeeeeeee), 1 run, by validation:",
    ]
    assert lines[3] == "  and 1 more: --limit 2, or export FILE"


def test_a_damaged_run_stands_in_the_list_without_an_expected_accuracy():
    """The kind: a column that some runs have no value in."""
    rows = [row("a") | {"runs_tried": 2, "expected_accuracy": 0.25}]
    rows.append(row("b") | {"runs_tried": None, "expected_accuracy": None})
    summary = RunsListSummary(rows, 9, "validation_accuracy")
    _, _, whole, damaged, _ = runs_text(summary).splitlines()
    assert "0.2500" in whole
    assert "–" in damaged


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("list", "--store", "nowhere"), "nowhere: there is no store"),
        (("show",), "show: expected 1 name after it, found 0"),
        (("show", "abc"), "no run 'abc'; there: "),
        (("list", "--sort-by", "validation_acuracy"), "did you mean validation_accuracy"),
        (("export", "nowhere/runs.csv"), "nowhere/runs.csv: folder nowhere not found; create it"),
        (("export", "runs.txt"), "expected a file name that ends in .csv, .parquet, .json, .jsonl"),
        (("export", "/proc/runs.csv"), "/proc/runs.csv: cannot be written: "),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(run, swept, arguments, match):
    code, _, errors = run("runs", *arguments)
    assert (code, errors.count("\n")) == (2, 1)
    assert match in errors
