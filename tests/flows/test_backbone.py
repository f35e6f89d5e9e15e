"""`backbone describe FILE > FILE.toml`, and the file is a backbone."""

import tomllib

import pytest

from tests.support import keras_files
from tests.support.onnx_files import as_ir, describe, network, tokens
from tests.tasks.backbones.files.test_draft import classifier


def write(kind, tmp_path):
    """Write a file of a kind, and leave the description empty, as a shell does."""
    path = tmp_path / f"m.{kind}"
    if kind == "keras":
        keras_files.network(path)
    elif kind == "xml":
        as_ir(tokens(tmp_path / "m.onnx"), path)
    else:
        classifier(path, 'a "name"\n# and 日本')
    describe(path, "")
    return path


@pytest.mark.parametrize(
    ("kind", "tap", "flags"),
    [
        ("onnx", 'a "name"\n# and 日本', ()),
        ("xml", "output", ("--pooling", "cls")),
        ("keras", "output", ()),
    ],
)
def test_what_is_printed_is_the_description_of_the_file(
    run, run_json, photos, tmp_path, kind, tap, flags
):
    path = write(kind, tmp_path)
    code, output, errors = run("backbone", "describe", path, "--preset", "imagenet")
    assert (code, errors) == (0, "")
    describe(path, output)
    assert run_json("extract", photos, "--backbone", path, *flags)["computed"] == 30
    found = run_json("backbone", "describe", path, "--preset", "imagenet")
    assert (found["tap"], found["toml"]) == (tap, output.rstrip("\n"))
    assert found["image_size"] == [16, 16]


def test_json_has_shapes_with_names(run_json, tmp_path):
    found = run_json("backbone", "describe", network(tmp_path / "m.onnx"))
    assert found["action"] == "describe"
    assert found["input"] == {"name": "images", "shape": [None, 3, 16, 16], "layout": "NCHW"}
    assert found["outputs"] == [{"name": "pooled", "shape": [8]}]
    first, second = found["taps"][:2]
    assert first == {"name": "pooled", "kind": "vector", "shape": [8], "role": "output"}
    assert second["name"] == "mean"
    assert tomllib.loads(found["toml"])["preset"] == found["preset"] == "raw"


@pytest.mark.parametrize(
    ("file", "flags", "match"),
    [
        ("no.onnx", (), "no.onnx: file not found; expected a file (.onnx, .xml, .keras)"),
        ("resnet50", (), "A backbone that has a name needs no description"),
        ("m.txt", (), "a file that ends in .onnx, .xml, .keras"),
        ("m.onnx", (), "m.onnx: the file is cut off, or not an ONNX file"),
        ("m.onnx", ("--preset", "imagnet"), "--preset"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(run, tmp_path, file, flags, match):
    for name in ("m.txt", "m.onnx"):
        (tmp_path / name).write_text("something else")
    code, output, errors = run("backbone", "describe", file, *flags)
    assert (code, output, errors.count("\n")) == (2, "", 1)
    assert match in errors
