"""Where the network sees something else than a person does, it is remarked on."""

import struct

import numpy as np
import pytest
from PIL import Image

from tasks.images.exif import orientation
from tasks.images.remarks import remarks
from tests.support.images import bmp, encoded, every_kind, masks, pixels, png, with_orientation

KINDS = every_kind()
RGB = pixels(0)
ROTATED = "turned upright, as the EXIF data says"
STORED = "EXIF rotation: not applied, used as stored"
SEEN = "transparency: dropped, the colours of transparent pixels become visible"
ONE_COLOUR = "transparency: dropped, all pixels have the same colour"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (encoded(Image.fromarray(RGB).convert("CMYK"), "TIFF"), "CMYK: converted to RGB"),
        (encoded(pixels(0, dtype=np.uint16)[..., 0] >> 4, "TIFF"), "16 bits, the upper ones empty"),
        (
            encoded(RGB, "TIFF", save_all=True, append_images=[Image.fromarray(RGB)]),
            "2 pages: only the first is used",
        ),
        (
            encoded(RGB, "WEBP", save_all=True, append_images=[Image.fromarray(pixels(1))]),
            "2 frames: only the first is used",
        ),
        (encoded(RGB, "TIFF"), ""),
        (encoded(RGB, "AVIF"), ""),
    ],
)
def test_formats_of_pillow_are_remarked_on_as_others(content, expected):
    assert remarks(content).startswith(expected)
    assert bool(remarks(content)) == bool(expected)


@pytest.mark.parametrize("name", sorted(set(KINDS) - {"cmyk.jpg", "animated.gif"}))
def test_nothing_is_remarked_on_ordinary_images(name):
    assert remarks(KINDS[name]) == ""


def test_what_is_converted_or_left_out_is_remarked_on():
    assert remarks(KINDS["cmyk.jpg"]) == "CMYK: converted to RGB"
    assert remarks(KINDS["animated.gif"]) == "animated, 3 frames: only the first is used"


def exif(number):
    made = Image.Exif()
    made[0x0112] = number
    return made


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "MPO"])
@pytest.mark.parametrize("number", [1, 2, 3, 6, 8])
def test_an_exif_rotation_is_remarked_on(kind, number):
    content = encoded(RGB, kind, exif=exif(number))
    assert orientation(content) == number
    assert remarks(content) == ("" if number == 1 else ROTATED)
    assert remarks(content, "stored") == ("" if number == 1 else STORED)


@pytest.mark.parametrize("order", ["<", ">"])
def test_an_orientation_that_means_nothing_is_none(order):
    given = [orientation(with_orientation(KINDS["rgb.jpg"], n, order)) for n in (0, 1, 5, 8, 9)]
    assert given == [1, 1, 5, 8, 1]


def test_exif_data_that_ends_early_is_none():
    content = with_orientation(KINDS["rgb.jpg"], 6)
    end = content.index(b"Exif") + 38
    assert {orientation(content[:stop]) for stop in range(end)} <= {1, 6}
    far = content.replace(b"II*\0\x08\0\0\0", b"II*\0\xff\xff\xff\xff")
    assert orientation(far) == 1


@pytest.mark.parametrize(("bits", "remarked"), [(10, True), (12, True), (14, True), (16, False)])
def test_sixteen_bits_whose_upper_ones_are_empty_are_read_as_nearly_black(bits, remarked):
    values = pixels(0, dtype=np.uint16) >> (16 - bits)
    for content, top in ((png(values), values), (encoded(values[..., 0], "PNG"), values[..., 0])):
        read = f"16 bits, the upper ones empty: read as dark, 0 to {int(top.max()) >> 8} of 255"
        assert remarks(content) == (read if remarked else "")


def test_a_few_defects_of_a_sensor_hide_no_empty_bits():
    """The kind: the maximum of many values tells of one of them."""
    values = pixels(0, dtype=np.uint16)[..., 0] >> 4
    values[20, 20] = 65535
    assert remarks(encoded(values, "PNG")).startswith("16 bits, the upper ones empty in nearly all")
    values[:4] = 65535
    assert remarks(encoded(values, "PNG")) == ""


def gif(*, frame=(37, 53), canvas=(37, 53), transparent=False):
    """Return a GIF of one frame, a quarter of which may be transparent."""
    values = np.ones(frame, np.uint8)
    values[: frame[0] // 2, : frame[1] // 2] = 0
    options = {"transparency": 0} if transparent else {}
    content = bytearray(encoded(Image.fromarray(values * 9), "GIF", **options))
    content[6:10] = struct.pack("<HH", canvas[1], canvas[0])
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (gif(), ""),
        (gif(transparent=True), "transparency: dropped, transparent pixels become black"),
        (
            gif(canvas=(40, 60)),
            "a GIF whose first frame does not fill its canvas: 53×37 of 60×40 pixels are used",
        ),
    ],
)
def test_a_gif_that_is_decoded_as_something_else_is_remarked_on(content, expected):
    """The kind: a remark that one format has and another lacks."""
    assert remarks(content).startswith(expected)
    assert bool(remarks(content)) == bool(expected)


def test_an_animated_png_is_remarked_on():
    frames = [Image.fromarray(pixels(n)) for n in (1, 2)]
    content = encoded(Image.fromarray(RGB), "PNG", save_all=True, append_images=frames)
    assert remarks(content) == "animated, 3 frames: only the first is used"


def alpha(share):
    """Return an alpha channel whose left part is transparent."""
    values = np.full(RGB.shape[:2], 255, np.uint8)
    values[:, : round(share * values.shape[1])] = 0
    return values


@pytest.mark.parametrize(
    ("colours", "share", "expected"),
    [
        (RGB, 0.5, SEEN),
        (RGB, 0.0, ""),
        (np.where(alpha(0.5)[..., None] > 0, RGB, 255), 0.5, ""),  # a background
        (np.zeros_like(RGB), 0.5, ONE_COLOUR),  # a drawing that is in the alpha channel alone
    ],
    ids=["content below", "opaque", "one colour below", "drawn by alpha"],
)
def test_transparency_is_remarked_on_where_it_hides_or_draws(colours, share, expected):
    rgba = np.dstack([colours, alpha(share)]).astype(np.uint8)
    assert remarks(encoded(rgba, "PNG")) == expected
    assert remarks(encoded(rgba, "TIFF")) == expected
    assert remarks(encoded(rgba, "WEBP", lossless=True, exact=True)) == expected
    header = {"bits": 32, "compression": 3, "header": 108, "masks": masks(2, 1, 0, 3)}
    data = rgba[::-1, :, [2, 1, 0, 3]].tobytes()
    assert remarks(bmp(RGB, **header, data=data)) == expected


def test_several_remarks_on_one_image_are_all_made():
    rgba = np.dstack([RGB, alpha(0.5)]).astype(np.uint8)
    assert remarks(encoded(rgba, "PNG", exif=exif(6))) == f"{ROTATED}; {SEEN}"
