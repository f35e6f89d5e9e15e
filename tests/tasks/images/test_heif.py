"""The boxes of an AVIF or HEIC say its kind and size, and hide no Exif data."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tasks.images import heif
from tests.support.images import encoded, large_avif, pixels

EXIF = Image.Exif()
EXIF[0x0112] = 3
EXIF[0x010F] = "a camera"
AVIF = encoded(pixels(0), "AVIF", exif=EXIF)


def of_brands(*brands):
    return struct.pack(">I", 12 + 4 * len(brands)) + b"ftyp" + b"".join(brands) + bytes(4)


@pytest.mark.parametrize(
    ("brands", "kind"),
    [
        ([b"avif", bytes(4)], "AVIF"),
        ([b"mif1", bytes(4), b"mif1", b"avif"], "AVIF"),
        ([b"heic", bytes(4)], "HEIF"),
        ([b"mif1", bytes(4), b"mif1", b"heic"], "HEIF"),
        ([b"isom", bytes(4), b"mp41"], ""),
        ([b"crx ", bytes(4)], ""),
    ],
)
def test_the_brands_say_what_it_is(brands, kind):
    assert heif.kind(of_brands(*brands)) == kind


def test_the_size_is_the_largest_that_is_said():
    assert heif.size(AVIF) == (37, 53)
    assert heif.size(large_avif(30_000)) == (30_000, 30_000)
    assert heif.size(AVIF[:40]) == (0, 0)


def test_boxes_in_boxes_end():
    """The kind: a recursion that the file decides."""
    boxes = b"".join(struct.pack(">I", 8 * (9_000 - n)) + b"meta" for n in range(9_000))
    assert heif.size(of_brands(b"avif") + boxes) == (0, 0)


def test_exif_data_is_left_out_and_the_turning_is_not():
    with Image.open(io.BytesIO(heif.without_exif(AVIF))) as image:
        exif = Image.Exif()
        exif.load(image.info["exif"])
    assert dict(exif) == {0x0112: 3}


@given(st.binary(max_size=200))
def test_no_boxes_are_too_odd(rest):
    content = of_brands(b"avif") + b"\0\0\0\x50meta" + rest
    assert min(heif.size(content)) >= 0
    assert len(heif.without_exif(content)) == len(content)
