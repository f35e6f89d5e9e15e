"""A description's mistakes are one line that says what to write instead."""

import pytest

from tasks.backbones.files.description import (
    PRESETS,
    described,
    description_path,
    named_by,
    read_description,
)
from tasks.errors import InputError
from tests.support.onnx_files import describe


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_each_preset_is_whole(preset):
    about = described({"preset": preset}, "here")
    assert about.scale in {1, 1 / 255}
    assert (about.resize == "bicubic") == (preset in {"clip", "siglip"})


def test_a_key_goes_before_its_preset():
    own = {"crop_fraction": 1, "image_size": [32, 48], "scale": 255}
    about = described({"preset": "imagenet", **own}, "here")
    assert (about.crop_fraction, about.image_size, about.scale) == (1, (32, 48), 255)
    assert about.mean == (0.485, 0.456, 0.406)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"meen": [1, 2, 3]}, "unknown key 'meen': did you mean mean"),
        ({"zebra": 1}, "unknown key 'zebra': known: preset, image_size, "),
        ({"mean": [1.0, 2.0]}, r"mean: expected three numbers, one a channel. Received: \[1.0, 2"),
        ({"mean": 3}, "mean: expected three numbers"),
        ({"mean": [1, 2, "x"]}, "mean: expected three numbers"),
        ({"std": [1, 0, 1]}, "std: expected three positive numbers"),
        ({"preset": "imagnet"}, "preset 'imagnet': expected one of clip, imagenet, inception, raw"),
        ({"preset": ["raw"]}, r"preset \['raw'\]: expected one of"),
        ({"channels": "grb"}, "channels: Input should be 'rgb' or 'bgr'. Received: 'grb'"),
        ({"scale": 0}, "scale: Input should be greater than 0"),
        ({"scale": float("nan")}, "scale: "),
        ({"mean": [1, 2, float("nan")]}, "mean: expected three numbers"),
        ({"image_size": -1}, "image_size: expected pixels"),
        ({"image_size": True}, r"image_size: expected pixels, .* Received: True$"),
        ({"image_size": [32]}, r"image_size: expected pixels, from 1 to \d+, .* Received: \[32\]$"),
        ({"class_token": 1}, "class_token: Input should be a valid boolean"),
        ({"scale": "2"}, "scale: Input should be a valid number"),
        ({"mean": [1, True, 2]}, r"mean: expected three numbers.* Received: \[1, True, 2\]$"),
        ({"crop_fraction": 0.1}, "crop_fraction: "),
        ({"register_tokens": -1}, "register_tokens: "),
        ({"resize": "lanczos"}, "resize: Input should be 'bilinear' or 'bicubic'"),
    ],
    ids=str,
)
def test_a_mistake_is_told(values, match):
    with pytest.raises(InputError, match=f"^here: {match}") as error:
        described(values, "here")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [None, "", 'preset = "raw"', 'preset = "of tomorrow"'])
def test_a_given_preset_goes_before_that_of_the_file_and_a_key_before_both(tmp_path, content):
    path = tmp_path / "m.onnx"
    if content is not None:
        describe(path, content)
    about = read_description(path, "imagenet")
    assert about == described({"preset": "imagenet"}, "here")
    describe(path, f"{content or ''}\nscale = 0.5")
    assert (read_description(path, "clip").scale, about.scale) == (0.5, 1 / 255)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (None, r'm.onnx.toml: file not found; .* write one line, preset = "imagenet"'),
        (
            b"",
            "m.onnx.toml: says nothing; .* or give --preset, or have it drafted by",
        ),
        (b"# preset", "m.onnx.toml: says nothing; "),
        (b"preset = ", "m.onnx.toml: not TOML: "),
        (b"preset = imagenet", 'm.onnx.toml: not TOML: .*; write preset = "imagenet", in quotes$'),
        (b"\xff", "m.onnx.toml: not TOML: "),
        (b"#" * 2**17, "m.onnx.toml: a file of 131,072 bytes, expected at most 65,536"),
    ],
    ids=["missing", "empty", "comment", "half", "no quotes", "no text", "large"],
)
def test_a_file_that_is_none_is_told(tmp_path, content, match):
    if content is not None:
        (tmp_path / "m.onnx.toml").write_bytes(content)
    with pytest.raises(InputError, match=match) as error:
        read_description(tmp_path / "m.onnx")
    assert "\n" not in str(error.value)


def test_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "m.onnx.toml").write_bytes(b'\xef\xbb\xbfpreset = "raw"')
    assert read_description(tmp_path / "m.onnx") == described({"preset": "raw"}, "here")


def test_an_unknown_tap_is_the_descriptions_where_that_has_it(tmp_path):
    path, error = tmp_path / "m.onnx", InputError("unknown tensor 'nope'")
    for text in (None, 'tap = "map"', "tap ="):
        if text is not None:
            description_path(path).write_text(text)
        assert named_by(path, "nope", error) is error
    description_path(path).write_text('tap = "nope"')
    assert str(named_by(path, "nope", error)) == (
        f"{path}.toml: tap = \"nope\": unknown tensor 'nope'"
    )
