import json

import pytest

SMALL = ("--image-size", "32")
TOP = ("--unfreeze", "top_conv", "--epochs", "2", "--learning-rate", "1e-3")


@pytest.fixture
def run_id(run_json, photos):
    return run_json("pipeline", photos, *SMALL, "--head", "dense")["train"]["run"]


def test_a_run_is_fine_tuned_once_reported_tested_and_used(run, run_json, run_id, tmp_path):
    told = run_json("finetune", run_id[:12], *TOP, "--augment", "flip", "--open-test")
    assert told["started_from"] == run_id
    assert told["finetuning"]["unfreeze"] == "top_conv"
    assert told["comparison"]["images"] == 4
    assert told["test_accuracy"] is not None
    report = (tmp_path / told["report"]).read_text()
    assert "efficientnet_lite0, fine-tuned: the head and the backbone from top_conv on" in report
    assert f"python -m flows.finetune {run_id[:16]}" in report
    assert "--augment=flip" in report
    code, output, _ = run("finetune", run_id[:12], *TOP, "--augment", "flip", "--open-test")
    assert code == 0
    assert "fine-tuning on photos (cached): the head and the backbone from top_conv on" in output
    assert "test split opened 2 times, over all runs" in output
    code, output, _ = run("predict", told["run"][:12], "photos/bluish")
    assert "15 images in" in output
    code, output, _ = run("export", told["run"][:12], "model", "--format", "keras")
    assert "the same labels on 4 validation images" in output
    card = (tmp_path / "model/README.md").read_text()
    assert "those that it started with: those of the package efficientnet-lite0" in card
    assert told["run"][:16] in run("runs", "list")[1]
    shown = run("runs", "show", told["run"][:12])[1]
    assert f"fine-tuned from run {run_id[:16]}: the head and the backbone from top_conv" in shown


def test_from_kept_views_it_is_the_same_run(run_json, run_id, tmp_path):
    asked = (*TOP, "--augment", "rotation=0.1", "--views", "2")
    cached = run_json("finetune", run_id, *asked, "--prefix", "cached")
    recipes = [json.loads(p.read_text()) for p in tmp_path.glob("feature-store/*/*/recipe.json")]
    (kept,) = [told["recipe"] for told in recipes if told["recipe"]["tap"] != "output"]
    assert (kept["augmentation"], kept["tap"]) == ("rotation=0.1", "block7a_project_bn")
    again = run_json("finetune", run_id, *asked)
    assert again["cached"]
    assert again["run"] == cached["run"]


def test_one_that_diverges_says_so_and_ends_with_1(run, run_json, photos):
    deep = ("--hidden-units", "8", "--hidden-units", "8", "--activation", "leaky_relu")
    start = run_json("pipeline", photos, *SMALL, "--head", "dense", *deep)["train"]["run"]
    asked = ("--strategy", "partial", "--learning-rate", "9e5", "--optimizer", "sgd")
    code, output, _ = run("finetune", start, *asked)
    assert code == 1
    assert "failed: the loss is no number any more in epoch" in output


def test_features_are_what_the_run_is(run_json, run_id):
    told = run_json("finetune", run_id, "--strategy", "features")
    assert told["run"] == told["started_from"] == run_id


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("0123",), "no run '0123'"),
        (("RUN",), "--strategy top-layers: say from which layer of efficientnet_lite0 on"),
        (("RUN", "--unfreeze", "top_con"), "unknown layer 'top_con': did you mean top_conv"),
        (("RUN", "--strategy", "ful"), "--strategy"),
        (("RUN", *TOP, "--augment", "rotate"), "unknown augmentation 'rotate'"),
        (("RUN", *TOP, "--epochs", "0"), "--epochs"),
        (("RUN", *TOP, "--weights", "none.h5"), "--weights none.h5: no such file"),
        (("RUN", "--strategy", "features", *TOP), "--epochs, --learning-rate, --unfreeze: --strat"),
        (("RUN", "--strategy", "full", "--prefix", "cached"), "--prefix cached: nothing of"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(run, run_id, arguments, match):
    code, _, errors = run("finetune", *(run_id if word == "RUN" else word for word in arguments))
    assert (code, errors.count("\n")) == (2, 1), errors
    assert match in errors
