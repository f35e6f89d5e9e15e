"""A network from a file, by the commands, from images to predictions."""

import json
import re
import shutil

import pytest

from tests.support import keras_files, keras_presets
from tests.support.onnx_files import RAW, as_ir, describe, network, tokens

CROPPED = 'resize = "bicubic"\naspect_ratio = "crop"\ncrop_fraction = 0.5'
# Relative to the folder of a test, in which its copy of the store is, too.
BACKBONE = ("--backbone", "m.onnx")


@pytest.fixture
def file(tmp_path):
    return network(tmp_path / "m.onnx")


@pytest.fixture
def trained(once, run_json, photos, file):
    flags = (*BACKBONE, "--head", "logistic")
    return once(lambda: run_json("pipeline", photos, *flags))["train"]


def test_a_head_is_trained_and_predicts_wherever_the_file_is(
    run, run_json, trained, file, photos, tmp_path
):
    assert trained["validation_accuracy"] == 1
    copy = shutil.copy(photos / "reddish" / "0.png", tmp_path / "copy.png")
    copy.write_bytes(copy.read_bytes() + b"\0")  # another image for the store, of the same pixels
    said = run_json("predict", trained["run"], photos, copy)
    assert (said["computed"], said["cached"]) == (1, 30)
    file.rename(tmp_path / "moved.onnx")
    code, _, errors = run("predict", trained["run"], copy)
    assert (code, errors.count("\n")) == (2, 1)
    assert f"{trained['run'][:16]} needs the file of onnx-" in errors
    assert re.search(r"m.onnx: file not found; run .* give it by --weights FILE\n", errors)
    _, _, errors = run("predict", trained["run"], copy, "--weights", tmp_path / "no.onnx")
    assert re.search(r"--weights /.*no.onnx: file not found; run ", errors)
    flags = ("--weights", tmp_path / "moved.onnx", "--output", tmp_path / "said.jsonl")
    code, _, errors = run("predict", trained["run"], copy, *flags)
    assert code == 0, errors
    (row,) = map(json.loads, (tmp_path / "said.jsonl").read_text().splitlines())
    assert row["predicted"] == "reddish"


def test_it_says_what_the_file_was_compared_with(run, file, photos):
    _, said, _ = run("extract", photos, *BACKBONE)
    assert "openvino agrees with onnxruntime on 16 photographs" in said


def test_features_are_computed_once_for_a_file_of_any_name(run_json, file, photos, tmp_path):
    assert run_json("extract", photos, *BACKBONE)["computed"] == 30
    (tmp_path / "below").mkdir()
    again = shutil.copy(file, tmp_path / "below" / "other name.onnx")
    describe(again, RAW)
    flags = ("--backbone", again)
    assert run_json("extract", photos, *flags)["computed"] == 0
    assert run_json("extract", photos, *flags, "--tap", "map", "--tap", "output")["computed"] == 30
    ir = as_ir(again, tmp_path / "m.xml")
    assert run_json("extract", photos, "--backbone", ir)["computed"] == 30


def test_a_preset_needs_no_description_and_stands_over_that_of_one(run, run_json, file, photos):
    flags = ("extract", photos, *BACKBONE, "--preset", "imagenet")
    place = file.with_name("m.onnx.toml")
    place.unlink()
    first = run_json(*flags)
    assert first["computed"] == 30
    describe(file, 'preset = "clip"')
    assert run_json(*flags)["computed"] == 0
    describe(file, "crop_fraction = 0.5")  # a key of the description is not of a preset
    assert run_json(*flags)["computed"] == 30
    code, _, errors = run("extract", photos, "--preset", "imagenet")
    assert (code, errors.count("\n")) == (2, 1)
    assert "--preset imagenet: it is for a file, and --backbone efficientnet" in errors


def test_tokens_and_a_sweep_over_backbones(run_json, photos, tmp_path):
    one, other = (tokens(tmp_path / f"{n}.onnx", seed=n) for n in (1, 2))
    flags = ("--pooling", "cls+mean")
    for file in (one, other):
        assert run_json("extract", photos, "--backbone", file, *flags)["computed"] == 30
    grid = ("--head", "ridge", "--grid", f"backbone={one},{other}")
    summary = run_json("sweep", photos.name, *flags, *grid)
    assert summary["trained"] == 2


def test_a_run_is_fine_tuned_only_where_keras_can(run, trained):
    code, _, errors = run("finetune", trained["run"], "--strategy", "full")
    assert (code, errors.count("\n")) == (2, 1)
    assert "cannot be fine-tuned; train other heads" in errors


@pytest.mark.server  # it takes a minute of a Prefect server
def test_advice_needs_taps_and_no_classifier(run, run_json, file, photos):
    said = run_json("advise", photos, *BACKBONE, "--tap", "map")
    assert [layer["tap"] for layer in said["evidence"]["layers"]] == ["map", "output"]
    assert "comes without an ImageNet classifier" in json.dumps(said["evidence"])
    code, _, errors = run("advise", photos, *BACKBONE)
    assert (code, errors.count("\n")) == (2, 1)
    assert "give the tensors to compare with --tap TENSOR" in errors


@pytest.mark.parametrize(
    ("description", "flags", "match"),
    [
        (None, (), 'm.onnx.toml: file not found; .*preset = "imagenet"'),
        (
            "",
            (),
            "m.onnx.toml: says nothing; .*`python -m flows.backbone describe m.onnx > m.onnx.toml`",
        ),
        ("meen = [1, 2, 3]", (), "unknown key 'meen': did you mean mean"),
        ("mean = [1, 2]", (), "mean: expected three numbers, one a channel"),
        (RAW, ("--pooling", "cls"), "--pooling cls: tensor 'pooled' has the shape (8); use"),
        (RAW, ("--tap", "mapp"), "unknown tensor 'mapp': did you mean map"),
        (RAW, ("--engine", "keras"), "--engine keras does not run onnx-"),
        (RAW, ("--precision", "int8"), "is a file, and only named backbones are quantised"),
        (RAW, ("--weights", "none"), "is a file, which has its weights; remove the flag"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(run, photos, file, description, flags, match):
    place = file.with_name("m.onnx.toml")
    place.unlink() if description is None else place.write_text(description)
    code, _, errors = run("extract", photos, *BACKBONE, *flags)
    assert (code, errors.count("\n")) == (2, 1)
    assert match.split(".*")[0] in errors
    assert match.split(".*")[-1] in errors


@pytest.mark.parametrize("kind", ["onnx", "xml", "crop"])
def test_a_graph_is_exported_and_agrees(run, run_json, photos, tmp_path, kind):
    path = network(tmp_path / "m.onnx", description=CROPPED if kind == "crop" else RAW)
    if kind == "xml":
        path = as_ir(path, tmp_path / "m.xml")
    flags = ("--backbone", path, "--tap", "map", "--pooling", "max", "--head", "dense")
    trained = run_json("pipeline", photos, *flags)["train"]["run"]
    code, output, errors = run("export", trained, "model")
    assert code == 0, errors
    written = {"model.xml"} if kind == "xml" else {"model.xml", "model.onnx"}
    assert output.count("the same labels on 4 validation images") == len(written)
    found = {file.name for file in (tmp_path / "model").iterdir()}
    assert found == {"README.md", "classes.json", "model.bin", *written}
    card = (tmp_path / "model/README.md").read_text()
    assert "from a file of the user, under its own licence" in card
    assert ("`model.onnx` (ONNX)" in card) == (kind != "xml")
    for name in written:
        code, output, errors = run("predict", f"model/{name}", photos)
        assert code == 0, errors
    code, _, errors = run("export", trained, "other", "--format", "keras")
    assert (code, errors.count("\n")) == (2, 1)
    assert "no Keras model; use --format openvino" in errors


@pytest.mark.server  # it takes a minute of a Prefect server
def test_a_keras_file_is_trained_fine_tuned_and_exported(run, run_json, photos, tmp_path):
    path = keras_files.network(tmp_path / "m.keras", description=CROPPED)
    head = ("--head", "dense", "--epochs", "30")
    trained = run_json("pipeline", photos, "--backbone", "m.keras", *head)["train"]["run"]
    flags = ("--strategy", "top-layers", "--unfreeze", "conv", "--epochs", "2")
    tuned = run_json("finetune", trained, *flags)["run"]
    path.unlink()  # a fine-tuned run has its own
    code, output, errors = run("export", tuned, "model")
    assert code == 0, errors
    assert output.count("the same labels on 4 validation images") == 3
    code, _, errors = run("predict", tuned, photos)
    assert code == 0, errors
    code, _, errors = run("finetune", tuned, "--strategy", "scratch")
    assert (code, errors.count("\n")) == (2, 1)


@pytest.mark.parametrize(("name", "given"), [("vit", "vit"), ("vgg16", "./vgg16")])
def test_a_preset_is_told_by_its_folder(run_json, photos, tmp_path, name, given):
    folder = keras_presets.preset(tmp_path / name)
    flags = ("--pooling", "cls")
    assert run_json("extract", photos, "--backbone", given, *flags)["computed"] == 30
    moved = folder.rename(tmp_path / "moved")
    assert run_json("extract", photos, "--backbone", moved, *flags)["computed"] == 0


@pytest.mark.server  # it takes a minute of a Prefect server
@pytest.mark.parametrize(
    ("layer", "options"),
    [("vit_encoder", ()), ("1", ("DINOV2Backbone", keras_presets.DINO))],
)
def test_a_preset_is_trained_fine_tuned_and_exported(
    run, run_json, photos, tmp_path, layer, options
):
    folder = keras_presets.preset(tmp_path / "net", *options)
    flags = ("--backbone", "net", "--pooling", "cls+mean", "--head", "dense", "--epochs", "30")
    trained = run_json("pipeline", photos, *flags)["train"]["run"]
    flags = ("--strategy", "top-layers", "--unfreeze", layer, "--epochs", "2")
    tuned = run_json("finetune", trained, *flags)["run"]
    shutil.rmtree(folder)  # a fine-tuned run has its own
    code, output, errors = run("export", tuned, "model")
    assert code == 0, errors
    assert output.count("the same labels on 4 validation images") == 2
    code, _, errors = run("export", tuned, "other", "--format", "keras")
    assert (code, errors.count("\n")) == (2, 1)
    assert "of KerasHub's layers; use --format saved-model or openvino" in errors
    code, _, errors = run("predict", tuned, photos)
    assert code == 0, errors
    code, _, errors = run("finetune", tuned, "--strategy", "scratch")
    assert (code, errors.count("\n")) == (2, 1)
