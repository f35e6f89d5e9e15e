import shlex
from pathlib import Path

import pytest

from stores.manifest import Manifest
from stores.runs.store import RunStore
from tasks.training.repeat_commands import command_line

pytestmark = pytest.mark.server  # it takes a minute of a Prefect server

SMALL = ("--image-size", "32")
SWEEP = """
folds = 3
[[head]]
kind = "dense"
learning_rate = [1e-3, 1e-2]
epochs = 3
seed = [0, 1]
[[head]]
kind = "ridge"
penalty = { low = 1.0, high = 1e4, count = 3 }
[[head]]
kind = "centroid"
"""


@pytest.fixture
def extracted(once, run_json, photos):
    once(lambda: run_json("extract", photos, *SMALL))
    return photos.name


@pytest.fixture
def sweep(run_json, extracted, tmp_path):
    """Write a sweep file and run it."""

    def sweep(text=SWEEP, *flags):
        (tmp_path / "sweep.toml").write_text(text)
        return run_json("sweep", extracted, tmp_path / "sweep.toml", *SMALL, *flags)

    return sweep


def test_a_sweep_trains_only_what_is_new(sweep):
    first = sweep()
    assert (first["trained"], first["cached"], len(first["runs"])) == (8, 0, 8)
    again = sweep()
    assert (again["trained"], again["cached"]) == (0, 8)
    assert again["run"] == first["run"]
    grown = sweep(SWEEP.replace("1e-2]", "1e-2, 0.1]"))
    assert (grown["trained"], grown["cached"]) == (2, 8)


def test_the_best_by_folds_is_chosen_and_the_test_split_stays_closed(sweep):
    summary = sweep()
    best = max(run["metrics"]["validation_accuracy"] for run in summary["runs"])
    assert (
        summary["validation_accuracy"]
        == best
        == summary["runs"][0]["metrics"]["validation_accuracy"]
    )
    expected = summary["selection"]["estimate"]
    assert expected["low"] <= expected["accuracy"] <= best
    assert summary["selection"]["tried"] == 8
    assert (summary["test_accuracy"], summary["test_openings"]) == (None, 0)
    assert summary["run"][:16] in summary["report"]


def test_only_the_chosen_run_is_tested(sweep, tmp_path):
    summary = sweep(SWEEP, "--open-test")
    assert summary["test_openings"] == 1
    runs = RunStore(tmp_path / "feature-store")
    tested = [row["run"] for row in runs.table().to_pylist() if row["test_openings"]]
    assert tested == [summary["run"]]


def test_seeds_of_a_head_without_randomness_are_one_trial(run_json, extracted):
    grid = ("--head", "ridge", "--head", "dense", "--epochs", "1", "--grid", "seed=0,1,2")
    summary = run_json("sweep", extracted, *SMALL, *grid)
    kinds = sorted(run["specification"]["kind"] for run in summary["runs"])
    assert kinds == ["dense", "dense", "dense", "ridge"]
    assert summary["selection"]["tried"] == 4
    assert "no seed changes heads of kind ridge: theirs are one trial" in summary["remarks"]


def test_folds_are_dealt_by_a_seed_of_their_own(run_json, extracted):
    grid = ("--head", "ridge", "--grid", "penalty=1", "--folds", "3")
    first, second = (
        run_json("sweep", extracted, *SMALL, *grid, "--fold-seed", seed) for seed in (0, 4)
    )
    assert first["run"] != second["run"]
    assert second["selection"]["tried"] == 2
    flags = ("--head", "ridge", "--penalty", "1", "--folds", "3", "--fold-seed", "4")
    alone = run_json("train", extracted, *SMALL, *flags)
    assert (alone["run"], alone["cached"]) == (second["run"], True)


def test_a_grid_of_flags_is_a_sweep_too(run_json, extracted):
    grid = ("--head", "ridge", "--head", "knn", "--grid", "penalty=1,10", "--grid", "neighbors=1,3")
    summary = run_json("sweep", extracted, *SMALL, *grid)
    kinds = sorted(run["specification"]["kind"] for run in summary["runs"])
    assert kinds == ["knn", "knn", "ridge", "ridge"]


def test_the_command_of_a_run_of_a_sweep_gets_it_again(run_json, extracted):
    grid = ("--head", "dense", "--grid", "hidden_units=4x2", "--grid", "seed=3", "--epochs", "2")
    swept = run_json("sweep", extracted, *SMALL, *grid)
    flags = ("--head", "dense", "--hidden-units", "4", "--hidden-units", "2", "--seed", "3")
    alone = run_json("train", extracted, *SMALL, *flags, "--epochs", "2")
    assert (alone["run"], alone["cached"]) == (swept["run"], True)


def test_a_seed_of_heads_on_untrained_features_is_got_again(run_json, photos, tmp_path):
    features = (*SMALL, "--weights", "none")
    run_json("extract", photos, *features)
    grid = ("--head", "dense", "--epochs", "2", "--grid", "seed=0,3")
    swept = run_json("sweep", photos.name, *features, *grid)
    stored = RunStore("feature-store").read(swept["run"])
    manifest = Manifest.read("feature-store", photos.name)
    _, _, flow, *words = shlex.split(
        " ".join(command_line(stored, manifest, "feature-store", opened=False))
    )
    alone = run_json(flow.removeprefix("flows."), *words)
    assert (alone["run"], alone["cached"]) == (swept["run"], 1)


def test_missing_features_are_named_with_the_command_that_extracts_them(run, extracted):
    code, _, errors = run("sweep", extracted, *SMALL, "--grid", "tap=block2a_add")
    assert code == 2
    assert f"python -m flows.extract {extracted} --image-size=32 --tap=block2a_add" in errors


@pytest.mark.parametrize(
    ("flags", "match"),
    [
        (("--grid", "penalty"), "expected NAME=VALUE,VALUE"),
        (("--head", "dense", "--grid", "hidden_units=8,512x"), "Received: '512x'"),
        (("--grid", "penalty=1", "--grid", "penalty=2"), "penalty is repeated"),
        (("--head", "dense", "--grid", "seed=0,-1"), "seed: expected 0 to"),
        (("--head", "ridge", "--grid", "penalti=1"), "did you mean penalty"),
        (("--head", "ridge", "--grid", "penalty=-1"), "greater than or equal to 0"),
        (("--grid", "pooling=mean"), "pooling: Input should be 'avg', 'max', 'none'"),
        (
            ("--learning-rate", "1", "--grid", "learning_rate=1"),
            "--learning-rate: given in --grid too",
        ),
        (("--seed", "1", "--grid", "seed=1"), "--seed: given in --grid too"),
        (
            ("--head-batch-size", "8", "--grid", "batch_size=8"),
            "--head-batch-size: given in --grid too",
        ),
        (("--folds", "1"), "expected 0, or 2 to 100 folds"),
        (("--fold-seed", "1"), "--fold-seed 1: there are no folds; add --folds 5"),
    ],
)
def test_a_mistake_in_a_grid_is_one_line_and_exit_code_2(run, extracted, flags, match):
    code, _, errors = run("sweep", extracted, *SMALL, *flags)
    assert (code, errors.count("\n")) == (2, 1)
    assert match in errors


def test_a_file_and_a_grid_exclude_each_other(run, extracted, tmp_path):
    (tmp_path / "sweep.toml").write_text(SWEEP)
    code, _, errors = run("sweep", extracted, tmp_path / "sweep.toml", "--grid", "penalty=1")
    assert code == 2
    assert "sweep.toml too; give it there alone" in errors


def test_the_text_of_a_sweep_has_what_the_choice_is_worth(run, extracted):
    code, output, _ = run("sweep", extracted, *SMALL, "--head", "ridge", "--grid", "penalty=1,10")
    assert code == 0
    assert "sweep on photos: 2 heads, 2 trained, 0 cached, 0 failed" in output
    assert ", corrected for selection: the best of 2 runs tried on these 4 images" in output


def test_a_guided_sweep_is_found_again(run_json, extracted):
    grid = ("--head", "ridge", "--head", "knn", "--grid", "penalty=1,10,100", "--guided")
    first, again = (run_json("sweep", extracted, *SMALL, *grid, "--trials", "20") for _ in "12")
    assert 0 < first["trained"] == len(first["runs"]) <= 20
    assert (again["trained"], again["run"]) == (0, first["run"])


def test_the_seed_of_the_heads_is_not_that_of_the_search(sweep):
    text = SWEEP.replace("folds = 3", "folds = 3\n[search]\ntrials = 5\nseed = 4")
    alone, seeded = sweep(text), sweep(text, "--seed", "9")
    kinds = [sorted(run["specification"]["kind"] for run in s["runs"]) for s in (alone, seeded)]
    assert kinds[0] == kinds[1]


def test_a_sweep_over_taps_shows_each_in_the_report(run_json, photos):
    taps = ("block2b_add", "output")
    run_json("extract", photos, *SMALL, *(f"--tap={tap}" for tap in taps))
    summary = run_json(
        "sweep", photos.name, *SMALL, "--head", "knn", f"--grid=tap={','.join(taps)}"
    )
    assert len({run["fingerprint"] for run in summary["runs"]}) == 2
    report = Path(summary["report"]).read_text()
    assert "Accuracy of 2 heads against tap" in report
    assert all(f"<td>{tap}</td>" in report for tap in taps)
