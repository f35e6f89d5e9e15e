"""A BMP is left to TensorFlow where its pixels are those of the header; Pillow reads the others."""

import io

import numpy as np
import pytest
from PIL import Image

from tasks.images.bmp import has_alpha, misread, refused
from tasks.images.decoding import decoded
from tests.support.images import bmp, encoded, grey_palette, masks, pixels

RGB, GREY = pixels(0), pixels(0)[..., 0]
BGRA, RGBA, ABGR = masks(2, 1, 0, 3), masks(0, 1, 2, 3), masks(3, 2, 1, 0)
COLOURS = Image.fromarray(RGB).quantize(256)

READ = {
    "24 bits": bmp(RGB),
    "24 bits, V4": bmp(RGB, header=108),
    "24 bits, V5": bmp(RGB, header=124),
    "32 bits": bmp(RGB, bits=32),
    "32 bits, masks behind the header": bmp(RGB, bits=32, compression=3, masks=masks(2, 1, 0)),
    "32 bits, V4": bmp(RGB, bits=32, compression=3, header=108, masks=BGRA),
    "32 bits, V5": bmp(RGB, bits=32, compression=3, header=124, masks=BGRA),
}
MISREAD = {
    "masks RGBA": (bmp(RGB, bits=32, compression=3, header=108, masks=RGBA), "masks"),
    "masks ABGR": (bmp(RGB, bits=32, compression=3, header=124, masks=ABGR), "masks"),
    "masks cut off": (bmp(RGB, bits=32, compression=3, data=b""), "masks"),
    "OS/2": (bmp(RGB, header=12), "a header of 12 bytes"),
    "OS/2 2.x": (bmp(RGB, header=64), "a header of 64 bytes"),
    "palette": (encoded(COLOURS, "BMP"), "a palette"),
    "palette cut off": (bmp(GREY, bits=8, palette=grey_palette(200)), "a palette"),
    "no palette": (bmp(GREY, bits=8), "a palette"),
    "RLE8": (bmp(GREY, bits=8, compression=1, palette=grey_palette()), "compression RLE8"),
    "JPEG in it": (bmp(RGB, compression=4), "compression JPEG"),
    "1 bit": (encoded(Image.fromarray(GREY).convert("1"), "BMP"), "1 bits a pixel"),
    "16 bits": (bmp(RGB, bits=16, data=bytes(37 * 53 * 2 + 99)), "16 bits a pixel"),
}


@pytest.mark.parametrize("name", READ)
def test_a_header_that_is_known_passes_and_the_pixels_are_right(name):
    assert misread(READ[name]) == ""
    assert np.array_equal(decoded(READ[name], channels=3), RGB)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(READ[name])).convert("RGB")), RGB)


@pytest.mark.parametrize("palette", [grey_palette(), grey_palette() + bytes(8)])
def test_a_grey_palette_passes(palette):
    content = bmp(GREY, bits=8, palette=palette)
    assert misread(content) == ""
    assert np.array_equal(decoded(content, channels=3)[..., 1], GREY)


@pytest.mark.parametrize("name", MISREAD)
def test_any_other_header_is_named(name):
    content, what = MISREAD[name]
    assert misread(content).startswith("a BMP")
    assert what in misread(content)


READ_BY_PILLOW = {
    "masks RGBA": RGB[..., ::-1],
    "masks ABGR": np.dstack([np.full(GREY.shape, 255, np.uint8), RGB[..., :2]]),
    "OS/2": RGB,
    "OS/2 2.x": RGB,
    "palette": np.asarray(COLOURS.convert("RGB")),
    "1 bit": np.asarray(Image.fromarray(GREY).convert("1").convert("RGB")),
}


@pytest.mark.parametrize("name", READ_BY_PILLOW)
def test_what_tensorflow_misreads_has_the_pixels_that_its_header_describes(name):
    content, _ = MISREAD[name]
    assert refused(content) == ""
    assert np.array_equal(decoded(content, channels=3), READ_BY_PILLOW[name])


def run_length(values):
    """Return an 8-bit BMP of grey values in runs of one pixel each."""
    rows = [b"".join(bytes([1, v]) for v in row) + b"\0\0" for row in values[::-1].tolist()]
    data = b"".join(rows) + b"\0\1"
    return bmp(values, bits=8, compression=1, palette=grey_palette(), data=data)


def test_runs_are_unpacked():
    assert np.array_equal(decoded(run_length(GREY), channels=3)[..., 0], GREY)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (MISREAD["palette cut off"][0], "a BMP whose palette reaches into its pixels"),
        (MISREAD["JPEG in it"][0], "a BMP with the compression JPEG"),
        (run_length(GREY) + bytes(8_000_000), "bytes with the compression RLE8"),
        (bmp(RGB, header=64, compression=4), "an OS/2 BMP with the compression number 4"),
    ],
)
def test_what_pillow_would_misread_or_take_long_for_is_refused(content, why):
    assert why in refused(content)


def test_an_alpha_channel_is_one_where_the_header_says_so():
    assert has_alpha(READ["32 bits, V4"])
    assert not has_alpha(READ["32 bits"])
    assert not has_alpha(encoded(RGB, "PNG"))
