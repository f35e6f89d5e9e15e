"""A preset's image converter describes its backbone, unless a description is beside the folder."""

import json
import logging

import numpy as np
import pytest

from tasks.backbones.files.found import found_in_file
from tasks.backbones.files.preset_converter import preset_preparation, preset_tokens
from tasks.errors import InputError
from tests.support.keras_presets import CONVERTER, VIT, converted, hub, written

IMAGENET = {
    "scale": [1 / 255 / 0.229, 1 / 255 / 0.224, 1 / 255 / 0.225],
    "offset": [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225],
}


def described(folder):
    return found_in_file(str(folder))[1]


@pytest.mark.parametrize(
    ("settings", "keys"),
    [
        ({}, {"aspect_ratio": "crop", "resize": "bilinear", "scale": 1.0, "mean": (0, 0, 0)}),
        (CONVERTER, {"scale": 1 / 127.5, "mean": (1.0, 1.0, 1.0), "image_size": (32, 32)}),
        ({"pad_to_aspect_ratio": True, "crop_to_aspect_ratio": False}, {"aspect_ratio": "pad"}),
        ({"crop_to_aspect_ratio": False}, {"aspect_ratio": "stretch"}),
        ({"interpolation": "bicubic"}, {"resize": "bicubic"}),
        ({"height": 8, "width": 9}, {"image_size": (8, 9)}),
    ],
    ids=str,
)
def test_the_keys_are_those_of_the_converter(tmp_path, settings, keys):
    found = described(converted(written(tmp_path / "vit"), **settings))
    assert {key: getattr(found, key) for key in keys} == keys


@pytest.mark.parametrize(
    "settings",
    [
        CONVERTER,
        IMAGENET,
        {"scale": 0.5},
        {"offset": [1, 2, 3]},
        {"scale": 1 / 255, "mean": [0.4, 0.5, 0.6], "variance": [0.04, 0.09, 0.16]},
    ],
    ids=str,
)
def test_pixels_become_what_the_converter_makes_of_them(tmp_path, settings):
    about = described(converted(written(tmp_path / "vit"), **settings))
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 4, 4, 3)).astype(np.float32)
    layer = hub().layers.ImageConverter(**{k: v for k, v in settings.items() if k != "image_size"})
    own = (pixels * about.scale - np.array(about.mean)) / np.array(about.std)
    np.testing.assert_allclose(own, np.asarray(layer(pixels)), rtol=1e-5, atol=1e-5)


def test_what_is_beside_the_folder_goes_before_it(tmp_path):
    folder = written(tmp_path / "vit")
    beside = tmp_path / "vit.toml"
    beside.write_text('resize = "bicubic"\nclass_token = false')
    found = described(folder)
    assert (found.resize, found.class_token) == ("bicubic", False)
    assert found.scale == CONVERTER["scale"]
    assert described(converted(folder, interpolation="lanczos5")).resize == "bicubic"
    converted(folder, scale="unknown")
    beside.write_text('preset = "raw"')
    assert (described(folder).scale, described(folder).aspect_ratio) == (1.0, "stretch")


def test_without_a_converter_a_description_is_needed(tmp_path):
    folder = written(tmp_path / "vit")
    (folder / "image_converter.json").unlink()
    with pytest.raises(InputError, match=r"vit.toml: file not found; it has to say how"):
        described(folder)
    (tmp_path / "vit.toml").write_text('preset = "imagenet"')
    assert described(folder).crop_fraction == 0.875


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("ViTBackbone", {}, (True, 0)),
        ("ViTBackbone", {"use_class_token": False}, (False, 0)),
        ("DINOV2Backbone", {"num_register_tokens": 4}, (True, 4)),
        ("DeiTBackbone", {}, (True, 1)),
        ("SwinTransformerBackbone", {}, (False, 0)),
    ],
)
def test_tokens_that_are_no_places_are_known(tmp_path, name, settings, expected):
    folder = written(tmp_path / "p", name=name, settings=VIT | settings)
    assert tuple(preset_tokens(folder).values()) == expected


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"scale": [1, 2]}, "expected three numbers, one a channel"),
        ({"scale": [0, 1, 2]}, "not an image converter of KerasHub: "),
        ({"scale": "a"}, "not an image converter of KerasHub: "),
        ({"pan_and_scan": True}, r"pan_and_scan: not known here; write .* into .*vit\.toml"),
        (
            {"interpolation": "lanczos5"},
            r"image_converter.json: resize: Input should be 'bilinear' or .*; write .*vit\.toml$",
        ),
        ({"scale": -1.0}, "image_converter.json: scale: "),
    ],
    ids=str,
)
def test_another_converter_is_one_line(tmp_path, settings, match):
    with pytest.raises(InputError, match=match) as error:
        described(converted(written(tmp_path / "vit"), **settings))
    assert "\n" not in str(error.value)


def test_what_it_does_otherwise_is_told_once(tmp_path, caplog):
    folder = converted(written(tmp_path / "vit"), **CONVERTER, antialias=True)
    with caplog.at_level(logging.WARNING, "gargalo.extract"):
        assert preset_preparation(folder) == preset_preparation(folder)
    assert [record.getMessage() for record in caplog.records] == [
        f"{folder / 'image_converter.json'}: resizes with antialiasing; images are resized without "
        "it here"
    ]


@pytest.mark.parametrize("content", [{"config": 1}, {"config": None}, {}], ids=str)
def test_a_damaged_converter_is_one_line(tmp_path, content):
    folder = written(tmp_path / "vit")
    (folder / "image_converter.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="it has no settings in config; copy it again, or write"):
        described(folder)
