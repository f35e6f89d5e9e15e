"""The centre of a larger image, as torchvision's Resize and CenterCrop."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tasks.errors import InputError
from tasks.images.centre_crop import CROP_FRACTION, centres, uncropped
from tasks.images.decoding import load_pixels
from tests.support.images import encoded
from tests.support.samples import RECIPE

SIZED = replace(RECIPE, image_size=(224, 224), aspect_ratio="crop", interpolation="bilinear")


def cropped(fraction, recipe=SIZED):
    arguments = (*recipe.backbone_arguments, (CROP_FRACTION, fraction))
    return replace(recipe, backbone_arguments=arguments)


def test_the_images_are_larger_and_nothing_else_changes():
    assert uncropped(cropped(0.875)) == replace(SIZED, image_size=(256, 256))
    assert uncropped(SIZED) is SIZED
    assert uncropped(cropped(1.0)) == cropped(1.0)


@pytest.mark.parametrize("fraction", [0, -1, 2, "half", None])
def test_a_fraction_that_is_none_is_refused(fraction):
    with pytest.raises(InputError, match=r"crop_fraction .*: expected 0.25 to 1"):
        uncropped(cropped(fraction))


def test_the_centre_of_the_larger_image_is_used():
    values = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    content = encoded(values, "PNG")
    (whole,) = load_pixels([content], uncropped(cropped(0.875)))
    (centre,) = load_pixels([content], cropped(0.875))
    np.testing.assert_array_equal(centre, whole[16:240, 16:240])


def test_odd_sides_lose_the_same_on_either_side_but_one():
    rows = np.arange(7, dtype=np.float32)[None, :, None, None] * np.ones((1, 7, 6, 3), np.float32)
    assert centres(rows, (4, 4))[0, :, 0, 0].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("aspect_ratio", ["stretch", "crop", "pad"])
def test_a_cubic_curve_does_not_leave_the_bytes(aspect_ratio):
    black_and_white = Image.new("RGB", (8, 8))
    black_and_white.paste((255, 255, 255), (3, 0, 8, 8))
    recipe = replace(SIZED, interpolation="bicubic", aspect_ratio=aspect_ratio)
    (pixels,) = load_pixels([encoded(black_and_white, "PNG")], recipe)
    (linear,) = load_pixels(
        [encoded(black_and_white, "PNG")], replace(recipe, interpolation="bilinear")
    )
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert np.abs(pixels - linear).max() > 10
