import json

import pytest

from stores.manifest import Manifest
from tests.support.entries import as_entries

pytestmark = pytest.mark.server  # it takes a minute of a Prefect server

SMALL = ("--image-size", "32")
TOP = ("--unfreeze", "top_conv", "--epochs", "2", "--learning-rate", "1e-3")


@pytest.fixture
def run_id(once, run_json, photos):
    asked = (photos, *SMALL, "--head", "dense")
    return once(lambda: run_json("pipeline", *asked))["train"]["run"]


def test_a_run_is_fine_tuned_once_reported_tested_and_used(run, run_json, run_id, tmp_path):
    told = run_json("finetune", run_id[:12], *TOP, "--augment", "flip", "--open-test")
    assert told["started_from"] == run_id
    assert told["finetuning"]["unfreeze"] == "top_conv"
    assert told["comparison"]["images"] == 4
    assert told["test_accuracy"] is not None
    report = (tmp_path / told["report"]).read_text()
    assert "efficientnet_lite0, fine-tuned: the head and the backbone from top_conv on" in report
    assert report.index("python -m flows.pipeline") < report.index(
        f"python -m flows.finetune {run_id[:16]}"
    )
    assert "--augment=flip" in report
    code, output, _ = run("finetune", run_id[:12], *TOP, "--augment", "flip", "--open-test")
    assert code == 0
    about = "photos, 32×32 pixels, seed 0 (cached)"
    assert f"fine-tuning on {about}: the head and the backbone from top_conv on" in output
    assert "2 test evaluations over all runs" in output
    code, output, _ = run("predict", told["run"][:12], "photos/bluish")
    assert "15 images in" in output
    code, output, _ = run("export", told["run"][:12], "model", "--format", "keras")
    assert "the same labels on 4 validation images" in output
    card = (tmp_path / "model/README.md").read_text()
    assert "initial weights: from the package efficientnet-lite0" in card
    assert f"with the weights of run `{run_id[:16]}` before fine-tuning" in card
    shown = run("runs", "show", told["run"][:12])[1]
    assert f"fine-tuned from run {run_id[:16]}: the head and the backbone from top_conv" in shown
    assert "learning_rate" not in shown  # of the head's own training, which a logistic one has not


def test_the_list_of_runs_knows_where_it_started_and_on_what_size(run_json, run_id):
    asked = ("--strategy", "partial", "--epochs", "1", "--image-size", "48")
    tuned = run_json("finetune", run_id, *asked)
    assert (tuned["image_size"], tuned["seed"]) == ([48, 48], 0)
    row = next(r for r in run_json("runs", "list")["runs"] if r["run"] == tuned["run"])
    assert (row["image_size"], row["started_from"]) == (48, run_id)
    assert row["head.epochs"] is None


def test_from_kept_views_it_is_the_same_run(run_json, run_id, tmp_path):
    asked = (*TOP, "--augment", "rotation=0.1", "--views", "2")
    cached = run_json("finetune", run_id, *asked, "--prefix", "cached")
    recipes = [json.loads(p.read_text()) for p in tmp_path.glob("feature-store/*/*/recipe.json")]
    (kept,) = [told["recipe"] for told in recipes if told["recipe"]["tap"] != "output"]
    assert (kept["augmentation"], kept["tap"]) == ("rotation=0.1", "block7a_project_bn")
    again = run_json("finetune", run_id, *asked)
    assert again["cached"]
    assert again["run"] == cached["run"]


@pytest.mark.parametrize(
    ("split", "asked"), [("train", ("--prefix", "cached")), ("test", ("--open-test",))]
)
def test_a_missing_image_is_named_and_the_data_set_stays(
    run, run_json, run_id, photos, split, asked
):
    run_json("ingest", photos, "--dataset", "photos")  # the folder of this test, not a copy's
    entries = as_entries(Manifest.read("feature-store", photos.name).of_status("accepted"))
    path = next(entry.path for entry in entries if entry.split == split)
    (photos / path).unlink()
    for _ in range(2):
        code, _, errors = run("finetune", run_id, *TOP, *asked)
        (error,) = (line for line in errors.splitlines() if line.startswith("error: "))
        assert (code, f"image '{path}'" in error) == (2, True), errors
        assert "or ingest the folder" in error


def test_one_that_diverges_says_so_and_ends_with_1(run, run_json, photos):
    deep = ("--hidden-units", "8", "--hidden-units", "8", "--activation", "leaky_relu")
    start = run_json("pipeline", photos, *SMALL, "--head", "dense", *deep)["train"]["run"]
    asked = ("--strategy", "partial", "--learning-rate", "9e5", "--optimizer", "sgd")
    code, output, _ = run("finetune", start, *asked)
    assert code == 1
    assert "failed: diverged: the loss is not finite in epoch" in output


def test_features_are_what_the_run_is(run_json, run_id):
    told = run_json("finetune", run_id, "--strategy", "features")
    assert told["run"] == told["started_from"] == run_id


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("0123",), "no run '0123'"),
        (("RUN",), "--strategy top-layers: give the first trained layer of efficientnet_lite0"),
        (("RUN", "--unfreeze", "top_con"), "unknown layer 'top_con': did you mean top_conv"),
        (("RUN", "--strategy", "ful"), "--strategy"),
        (("RUN", *TOP, "--augment", "rotate"), "unknown augmentation 'rotate'"),
        (("RUN", *TOP, "--epochs", "0"), "--epochs"),
        (("RUN", *TOP, "--weights", "none.h5"), "--weights none.h5: file not found"),
        (("RUN", "--strategy", "features", *TOP), "--epochs, --learning-rate, --unfreeze: --strat"),
        (
            ("RUN", "--strategy", "full", "--prefix", "cached"),
            "--prefix cached: no layer is frozen",
        ),
        (("RUN", *TOP, "--augment", "flip", "--augment", "flip"), "flip is repeated"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(run, run_id, arguments, match):
    code, _, errors = run("finetune", *(run_id if word == "RUN" else word for word in arguments))
    assert (code, errors.count("\n")) == (2, 1), errors
    assert match in errors
