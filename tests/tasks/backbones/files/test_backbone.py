"""A recipe says all of a backbone from a file but where the file is."""

import shutil
from dataclasses import replace

import pytest

from stores.features.recipe import Recipe
from tasks.backbones.files.backbone import file_of_recipe, is_from_file, of_recipe
from tasks.errors import InputError, WeightsError
from tasks.features.job import job_of, make_job
from tasks.features.request import FeatureRequest
from tests.support.onnx_files import IMAGENET, RAW, as_ir, network, tokens

BGR = 'channels = "bgr"\nmean = [104.0, 117.0, 123.5]\nscale = 0.25\nregister_tokens = 4'


def job(path, **asked):
    return make_job(FeatureRequest(str(path), **asked), store="unused", engine="auto")


def recipe(path, **asked):
    return job(path, **asked).recipes[0]


@pytest.mark.parametrize("description", [RAW, IMAGENET, BGR, 'preset = "siglip"'])
def test_a_recipe_gives_the_backbone_back(tmp_path, description):
    made = recipe(network(tmp_path / "m.onnx", description=description))
    assert is_from_file(made)
    backbone = of_recipe(Recipe.from_json(made.to_json()))
    assert (backbone.name, backbone.preprocessing) == (made.backbone, made.preprocessing)
    assert backbone.arguments == made.backbone_arguments
    assert str(tmp_path) not in made.to_json()


def test_a_file_elsewhere_is_the_same_and_another_is_another(tmp_path):
    made = recipe(network(tmp_path / "m.onnx"))
    assert made.backbone == f"onnx-{made.weights.removeprefix('sha256:')[:8]}"
    (tmp_path / "other").mkdir()
    assert recipe(network(tmp_path / "other" / "renamed.onnx")) == made
    assert recipe(network(tmp_path / "m2.onnx", seed=7)) != made
    assert recipe(as_ir(tmp_path / "m.onnx", tmp_path / "m.xml")).backbone.startswith("ir-")


@pytest.mark.parametrize(
    "line",
    [
        'channels = "bgr"',
        "scale = 0.5",
        "mean = [1, 2, 3]",
        "std = [1, 2, 3]",
        "image_size = 32",
        'resize = "bicubic"',
        'aspect_ratio = "crop"',
        "crop_fraction = 0.5",
        'tap = "map"',
        "class_token = false",
        "register_tokens = 1",
        'map_layout = "NHWC"',
    ],
)
def test_all_that_a_description_says_changes_the_fingerprint(tmp_path, line):
    before = recipe(network(tmp_path / "m.onnx"))
    assert recipe(network(tmp_path / "m.onnx", description=line)).fingerprint != before.fingerprint


def test_flags_go_before_the_description(tmp_path):
    path = network(tmp_path / "m.onnx", description='tap = "map"\naspect_ratio = "crop"')
    assert (recipe(path).tap, recipe(path).aspect_ratio) == ("map", "crop")
    made = recipe(path, taps=("pooled",), aspect_ratio="pad", image_size=48)
    assert (made.tap, made.aspect_ratio, made.image_size) == ("pooled", "pad", (48, 48))
    with pytest.raises(InputError, match="--tap output: it is 'map' here, which is given as well"):
        job(path, taps=("output", "map"))
    with pytest.raises(InputError, match=r"--weights w.h5: --backbone .* is a file, which has its"):
        job(path, weights="w.h5")


def test_a_moved_file_is_found_by_its_digest(tmp_path):
    path = tokens(tmp_path / "m.onnx")
    made, place = recipe(path, pooling="cls"), tmp_path / "there.onnx"
    shutil.move(path, place)
    with pytest.raises(
        WeightsError, match=r"^/.*m.onnx: file not found; the .* by --weights FILE$"
    ):
        job_of(made, str(path), store="unused", engine="auto")
    assert job_of(made, str(place), store="unused", engine="auto").recipes == (made,)
    with pytest.raises(WeightsError, match=r"other.onnx: expected sha256:.*; received sha256:"):
        file_of_recipe(made, str(network(tmp_path / "other.onnx")))


@pytest.mark.parametrize(
    "change",
    [
        {"preprocessing": "exec('rm')"},
        {"preprocessing": "rgb: (x * nan - (0, 0, 0)) / (1, 1, 1)"},
        {"preprocessing": "rgb: (x * 1 - (0, 0, 0)) / (1, 0, 1)"},
        {"interpolation": "lanczos5"},
        {"backbone_arguments": (("crop_fraction", 0.0),)},
        {"backbone_arguments": (("register_tokens", -1),)},
        {"backbone_arguments": (("path", "/etc/passwd"),)},
    ],
    ids=str,
)
def test_a_recipe_that_nobody_wrote_is_refused(tmp_path, change):
    path = network(tmp_path / "m.onnx")
    with pytest.raises(InputError, match="extract and train again"):
        job_of(replace(recipe(path), **change), str(path), store="unused", engine="auto")


def test_a_file_of_another_kind_is_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"resnet50.pt: not found; expected the name of a backbone, a file that "
    ):
        job(tmp_path / "resnet50.pt")
