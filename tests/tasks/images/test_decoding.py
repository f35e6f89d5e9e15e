"""The pixels are Keras's own, to the bit; and what is accepted can be decoded."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings

from tasks.errors import InputError
from tasks.images.decoding import check_decodable, load_pixels
from tests.support.images import damaged, encoded, every_kind, pixels, write
from tests.support.samples import RECIPE

KINDS = every_kind()
SMALL = replace(RECIPE, image_size=(5, 7))
OPTIONS = {
    "stretch": {},
    "crop": {"crop_to_aspect_ratio": True},
    "pad": {"pad_to_aspect_ratio": True},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    for name, content in KINDS.items():
        write(folder / ("thin" if "301" in name else "usual") / name, content)
    return folder


def can_be_decoded(content):
    try:
        load_pixels([content], SMALL)
    except InputError:
        return False
    return True


def is_accepted(content):
    try:
        check_decodable(content)
    except InputError:
        return False
    return True


@pytest.fixture(scope="module")
def sizes(tmp_path_factory):
    """Images of many heights and widths: of some, a crop or padding is close to half a row."""
    folder = tmp_path_factory.mktemp("sizes")
    random = np.random.default_rng(0)
    for number, (height, width) in enumerate(random.integers(20, 200, (60, 2))):
        write(folder / "class" / f"{number:02}.png", encoded(pixels(number, height, width), "PNG"))
    return folder


def assert_as_keras(folder, recipe):
    dataset = keras.utils.image_dataset_from_directory(
        folder,
        labels=None,
        image_size=recipe.image_size,
        shuffle=False,
        **OPTIONS[recipe.aspect_ratio],
    )
    expected = np.concatenate(list(dataset.as_numpy_iterator()))
    actual = load_pixels([Path(path).read_bytes() for path in dataset.file_paths], recipe)
    different = (expected != actual).any(axis=(1, 2, 3))
    assert [Path(dataset.file_paths[n]).name for n in np.flatnonzero(different)] == []


@pytest.mark.parametrize("image_size", [(32, 32), (24, 40), (61, 19), (224, 224)], ids=str)
@pytest.mark.parametrize("aspect_ratio", OPTIONS)
def test_pixels_are_those_of_keras(folder, aspect_ratio, image_size):
    # To be padded into less than 151 rows, a side of 2 would become 0.
    thin_too = aspect_ratio != "pad" or min(image_size) > 150
    recipe = replace(RECIPE, aspect_ratio=aspect_ratio, image_size=image_size)
    assert_as_keras(folder if thin_too else folder / "usual", recipe)


@pytest.mark.parametrize("image_size", [(41, 41), (97, 99), (160, 160), (224, 224)], ids=str)
@pytest.mark.parametrize("aspect_ratio", OPTIONS)
def test_pixels_of_many_sizes_are_those_of_keras(sizes, aspect_ratio, image_size):
    assert_as_keras(sizes, replace(RECIPE, aspect_ratio=aspect_ratio, image_size=image_size))


def test_an_image_too_thin_to_be_padded_is_refused_as_by_keras(tmp_path):
    write(tmp_path / "class" / "thin.png", KINDS["2x301.png"])
    with pytest.raises(InputError, match=r"cannot be resized to 32×32 \(pad\)"):
        load_pixels([KINDS["2x301.png"]], replace(RECIPE, aspect_ratio="pad", image_size=(32, 32)))
    dataset = keras.utils.image_dataset_from_directory(
        tmp_path, labels=None, image_size=(32, 32), pad_to_aspect_ratio=True
    )
    with pytest.raises(tf.errors.InvalidArgumentError):
        next(iter(dataset))


@pytest.mark.parametrize(
    ("height", "width", "ratio"),
    [(79, 200, 1), (80, 80, 2), (159, 400, 2), (160, 161, 4), (321, 900, 8)],
)
def test_a_fast_jpeg_is_read_at_the_smallest_scale_that_is_large_enough(height, width, ratio):
    content = encoded(pixels(0, height, width), "JPEG")
    recipe = replace(RECIPE, image_size=(40, 40), decode="fast")
    reduced = tf.io.decode_jpeg(content, channels=3, ratio=ratio)
    assert min(reduced.shape[:2]) >= 40 or ratio == 1
    expected = tf.image.resize(reduced, (40, 40))
    assert np.array_equal(load_pixels([content], recipe)[0], expected)


@pytest.mark.parametrize("name", [name for name in KINDS if not name.endswith((".jpg", ".jpeg"))])
def test_fast_changes_nothing_of_other_formats(name):
    fast = load_pixels([KINDS[name]], replace(SMALL, decode="fast"))
    assert np.array_equal(fast, load_pixels([KINDS[name]], SMALL))


def test_pixels_are_from_0_to_255(folder):
    (values,) = load_pixels([KINDS["rgb-16.png"]], RECIPE)
    assert values.shape == (*RECIPE.image_size, 3)
    assert values.dtype == np.float32
    assert 0 <= values.min() < 20
    assert 235 < values.max() <= 255


def test_an_animation_gives_its_first_frame():
    first = encoded(pixels(0), "GIF")
    np.testing.assert_array_equal(
        load_pixels([KINDS["animated.gif"]], RECIPE), load_pixels([first], RECIPE)
    )


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_accepted(name):
    check_decodable(KINDS[name])


@pytest.mark.parametrize("content", [b"", b"no image", b"\xff\xd8\xff", b"BM", b"GIF89a"])
def test_the_reason_is_one_line(content):
    with pytest.raises(InputError, match=r"^cannot be decoded: .+") as error:
        check_decodable(content)
    with pytest.raises(InputError) as again:
        load_pixels([content], RECIPE)
    assert "\n" not in str(error.value) + str(again.value)
    assert len(str(error.value)) < 200


@settings(max_examples=600)
@given(damaged(".jpg"))
def test_a_damaged_jpeg_is_accepted_just_if_it_can_be_decoded(content):
    assert is_accepted(content) == can_be_decoded(content)


@settings(max_examples=400)
@given(damaged(".png", ".gif", ".bmp"))
def test_other_damaged_files_are_accepted_just_if_they_can_be_decoded(content):
    assert is_accepted(content) == can_be_decoded(content)


@pytest.mark.parametrize("name", ["rgb.jpg", "progressive.jpg", "rgb.png", "rgb.bmp", "static.gif"])
def test_a_file_without_its_second_half_is_refused(name):
    assert not is_accepted(KINDS[name][: len(KINDS[name]) // 2])
