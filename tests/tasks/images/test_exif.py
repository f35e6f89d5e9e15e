"""Rotated photographs are turned as Pillow turns them, and their keys say so."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from stores.keys import ImageKey
from tasks.images.decoding import decoded, for_tensorflow, load_pixels
from tasks.images.exif import OTHER_FILE, UPRIGHT, key_of, orientation, turn_of, turned
from tasks.images.pillow_images import picture
from tests.support.images import encoded, every_kind, pixels, rotated, with_orientation
from tests.support.samples import RECIPE

RGB = pixels(0, 48, 64)
FORMATS = {"PNG": {}, "WEBP": {"lossless": True}, "TIFF": {"compression": "tiff_lzw"}}
ALL = range(1, 9)


@pytest.mark.parametrize("number", ALL)
def test_pixels_are_turned_as_pillow_turns_a_picture(number):
    image = Image.fromarray(RGB)
    image.getexif()[0x0112] = number
    assert np.array_equal(turned(RGB, number), np.asarray(ImageOps.exif_transpose(image)))


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("number", ALL)
def test_a_photograph_is_the_upright_one_in_every_orientation(kind, number):
    content = rotated(RGB, number, kind, **FORMATS[kind])
    assert orientation(content) == number
    assert np.array_equal(np.asarray(picture(content, turn=number)), RGB)
    expected = load_pixels([encoded(RGB, "PNG")], RECIPE)
    assert np.array_equal(load_pixels([content], RECIPE, [number]), expected)
    (stored,) = load_pixels([content], RECIPE, [UPRIGHT])
    assert np.array_equal(stored, expected[0]) == (number == UPRIGHT)


@pytest.mark.parametrize("decode", ["exact", "fast"])
@pytest.mark.parametrize("number", ALL)
def test_a_jpeg_too_up_to_its_coding(decode, number):
    recipe = replace(RECIPE, decode=decode)
    options = {"quality": 98, "subsampling": 0}
    photograph = pixels(0, 480, 640)
    upright = load_pixels([encoded(photograph, "JPEG", **options)], recipe)
    content = rotated(photograph, number, "JPEG", **options)
    difference = load_pixels([content], recipe, [number]) - upright
    assert np.abs(difference).mean() < 1


def test_the_rows_of_a_batch_are_turned_each_by_its_own():
    contents = [rotated(RGB, number, "PNG") for number in ALL]
    rows = load_pixels(contents, RECIPE, list(ALL))
    assert all(np.array_equal(row, rows[0]) for row in rows)


def test_a_file_for_tensorflow_has_the_upright_pixels():
    content = rotated(RGB, 6, "JPEG")
    expected = turned(decoded(content, channels=3), 6)
    assert np.array_equal(decoded(for_tensorflow(content, turn=6), channels=3), expected)
    assert for_tensorflow(content) is content
    tiff = encoded(RGB[:, :61], "TIFF")  # rows that a BMP fills up
    assert np.array_equal(decoded(for_tensorflow(tiff), channels=3), RGB[:, :61])


@pytest.mark.parametrize("name", sorted(every_kind()))
def test_an_image_without_rotation_has_one_key(name):
    content = every_kind()[name]
    assert key_of(content, "upright") == key_of(content, "stored") == ImageKey.of(content)
    assert turn_of(content, ImageKey.of(content)) == UPRIGHT
    assert turn_of(content, ImageKey.of(content).upright()) == OTHER_FILE


@given(st.binary())
def test_whatever_has_no_rotation_keeps_the_digest_of_its_bytes(content):
    assert key_of(content, "upright") == hashlib.sha256(content).digest()


@pytest.mark.parametrize("number", ALL)
def test_the_key_of_a_rotated_image_says_how_it_is_used(number):
    content = with_orientation(every_kind()["rgb.jpg"], number)
    stored, upright = key_of(content, "stored"), key_of(content, "upright")
    assert (stored == upright) == (number == UPRIGHT)
    assert turn_of(content, upright) == number
    assert turn_of(content, stored) == UPRIGHT
    assert turn_of(content + b"\0", upright) == turn_of(content, bytes(32)) == OTHER_FILE


@pytest.mark.parametrize("behind", [b"", b"Exif\0\0", bytes(2**18)])
@pytest.mark.parametrize("number", ALL)
def test_the_orientation_of_a_large_photograph_is_that_of_a_small_one(number, behind):
    """The kind: what is read sooner by another way, from some size on."""
    content = with_orientation(every_kind()["rgb.jpg"], number) + behind
    assert orientation(content) == orientation(content + bytes(2**17)) == number


def test_a_large_jpeg_without_a_scan_has_no_orientation():
    """Fill bytes behind the frame are the decoder's matter, as in a file that has no EXIF data."""
    content = every_kind()["rgb.jpg"]
    begun = content[: content.index(b"\xff\xda")]
    assert orientation(begun + bytes(2**21)) == UPRIGHT
