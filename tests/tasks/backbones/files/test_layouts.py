"""Where the channels are, by the sides of an image and of a map."""

from pathlib import Path

import pytest

from tasks.backbones.files.layouts import input_layout, layout_of_map, possible_layouts
from tasks.errors import InputError


@pytest.mark.parametrize(
    ("shape", "size", "expected"),
    [
        ((2048, 7, 7), (224, 224), "NCHW"),
        ((7, 7, 2048), (224, 224), "NHWC"),
        ((1280, 1, 1), (224, 224), "NCHW"),
        ((1, 1, 1280), (224, 224), "NHWC"),
        ((64, 7, 14), (224, 448), "NCHW"),
        ((7, 14, 64), (224, 448), "NHWC"),
        ((8, 8, 8), (16, 16), None),
        ((5, 7, 64), (224, 224), None),
        ((-1, -1, 8), (224, 224), None),
    ],
)
def test_a_map_has_the_proportions_of_its_image(shape, size, expected):
    assert layout_of_map(shape, size) == expected


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((-1, 3, 224, 224), ["NCHW"]),
        ((1, -1, -1, 3), ["NHWC"]),
        ((-1, -1, 16, 16), ["NCHW"]),
        ((-1, -1, -1, -1), ["NCHW", "NHWC"]),
        ((-1, 3, -1, 3), ["NCHW", "NHWC"]),
        ((-1, 1, 16, 16), []),
    ],
)
def test_the_layouts_that_an_input_may_have(shape, expected):
    assert possible_layouts(shape) == expected


def test_a_layout_that_does_not_fit_is_told_with_the_one_that_does():
    match = (
        r'^m.onnx.toml: layout = "NHWC" does not fit the input \(\?, 3, 8, 8\); write "NCHW", or'
    )
    with pytest.raises(InputError, match=match):
        input_layout("NHWC", (-1, 3, 8, 8), Path("m.onnx"))
