"""Each format in each colour type has Pillow's pixels, and those of the same picture in a PNG."""

import io
import struct
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tasks.errors import InputError
from tasks.images import image_check
from tasks.images.decoding import decoded, load_pixels
from tasks.images.exif import turned
from tasks.images.headers import by_pillow
from tasks.images.image_check import check_content, examine
from tasks.images.pillow_images import picture
from tests.support.images import encoded, pixels, png, write
from tests.support.samples import RECIPE

RGB = pixels(0)
GREY16 = pixels(0, dtype=np.uint16)[..., 0]
IMAGE = Image.fromarray(RGB)
SECOND = Image.fromarray(pixels(1))
RGBA = Image.fromarray(np.dstack([RGB, RGB[..., :1]]))
CLEAR = {"quality": 100, "subsampling": "4:4:4"}
COMPRESSIONS = [None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd"]
MODES = ["1", "L", "P", "LA", "RGB", "RGBA", "CMYK", "YCbCr"]

MADE = {f"{mode}.tif": encoded(RGBA.convert(mode), "TIFF") for mode in MODES}
MADE |= {f"RGB-{how}.tif": encoded(IMAGE, "TIFF", compression=how) for how in COMPRESSIONS}
MADE |= {
    "jpeg.tif": encoded(IMAGE, "TIFF", compression="jpeg"),
    "fax.tif": encoded(IMAGE.convert("1"), "TIFF", compression="group4"),
    "big.tif": encoded(IMAGE, "TIFF", big_tiff=True),
    "strips.tif": encoded(IMAGE, "TIFF", compression="tiff_lzw", tiffinfo={278: 4}),
    "pages.tif": encoded(IMAGE, "TIFF", save_all=True, append_images=[SECOND]),
    "alpha.webp": encoded(RGBA, "WEBP"),
    "lossless-alpha.webp": encoded(RGBA, "WEBP", lossless=True, exact=True),
    "animated.webp": encoded(IMAGE, "WEBP", save_all=True, append_images=[SECOND]),
    "L.avif": encoded(IMAGE.convert("L"), "AVIF", **CLEAR),
    "RGB.avif": encoded(IMAGE, "AVIF", **CLEAR),
    "RGBA.avif": encoded(RGBA, "AVIF", **CLEAR),
    "animated.avif": encoded(IMAGE, "AVIF", save_all=True, append_images=[SECOND], **CLEAR),
}


@pytest.mark.parametrize("name", MADE)
def test_each_format_has_the_pixels_of_pillow(tmp_path, name):
    content = MADE[name]
    with Image.open(io.BytesIO(content)) as opened:
        alike = opened.convert("RGBA" if opened.mode in {"P", "LA"} else opened.mode)
        expected = np.asarray(alike.convert("RGB"))
    assert by_pillow(content)
    assert np.array_equal(decoded(content, channels=3), expected)
    assert np.array_equal(np.asarray(picture(content)), expected)
    assert examine(write(tmp_path / "named.jpg", content)).status == "accepted"


@pytest.mark.parametrize("how", COMPRESSIONS)
@pytest.mark.parametrize("colours", [GREY16, np.asarray(RGBA), np.asarray(IMAGE.convert("LA"))])
def test_one_picture_in_two_formats_has_the_same_pixels(how, colours):
    image = Image.fromarray(colours)
    in_png = decoded(encoded(image, "PNG"), channels=3)
    assert np.array_equal(decoded(encoded(image, "TIFF", compression=how), channels=3), in_png)


def sixteen_bits(values, order, *, white=1):
    """Return an uncompressed TIFF of 16-bit values, (height, width) or with three channels."""
    height, width, *channels = values.shape
    count = channels[0] if channels else 1
    data = values.astype(f"{order}u2").tobytes()
    tags = [(256, width), (257, height), (258, 16), (259, 1), (262, 2 if channels else white)]
    tags += [(273, 8), (277, count), (278, height), (279, len(data))]
    entries = [
        struct.pack(f"{order}HHI", tag, 4, 1) + struct.pack(f"{order}I", value)
        for tag, value in tags
    ]
    start = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8 + len(data))
    return start + data + struct.pack(f"{order}H", len(tags)) + b"".join(entries) + bytes(4)


@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bits_are_cut_to_the_upper_eight_as_of_a_png(order):
    values = pixels(0, dtype=np.uint16)
    expected = decoded(png(values), channels=3)
    assert np.array_equal(decoded(sixteen_bits(values, order), channels=3), expected)
    grey = decoded(sixteen_bits(GREY16, order), channels=3)
    assert np.array_equal(grey, np.dstack([GREY16 >> 8] * 3))


def test_sixteen_bits_whose_zero_is_white_are_inverted():
    content = sixteen_bits(GREY16, "<", white=0)
    assert np.array_equal(decoded(content, channels=3)[..., 0], 255 - (GREY16 >> 8))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_avif_is_turned_as_its_format_says(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(IMAGE, "AVIF", exif=exif, **CLEAR)
    expected = turned(decoded(encoded(IMAGE, "AVIF", **CLEAR), channels=3), orientation)
    assert np.array_equal(decoded(content, channels=3), expected)


def test_the_rows_of_a_mixed_batch_are_those_of_each_alone():
    contents = [encoded(IMAGE, "PNG"), MADE["LA.tif"], encoded(SECOND, "JPEG"), MADE["RGB.tif"]]
    rows = load_pixels(contents, RECIPE)
    for row, content in zip(rows, contents, strict=True):
        assert np.array_equal(row, load_pixels([content], RECIPE)[0])
    assert np.array_equal(rows[3], rows[0])  # one picture in two formats


def test_heic_without_its_package_is_refused_with_the_extra(tmp_path, monkeypatch):
    monkeypatch.setattr(image_check, "find_spec", lambda _: None)
    file = write(tmp_path / "a.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40))
    assert "pip install 'gargalo[heic]'" in examine(file).reason


@pytest.mark.parametrize("orientation", [1, 3, 6, 7])
def test_heic_is_read_and_turned_as_its_format_says(orientation):
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener(thumbnails=False)
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(IMAGE, "HEIF", quality=-1, chroma=444, exif=exif.tobytes())
    check_content(content)
    difference = decoded(content, channels=3).astype(int) - turned(RGB, orientation)
    assert np.abs(difference).max() <= 1


def outcome(content):
    """Return the reason why a file is refused, or the mode of its picture; warnings are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            check_content(content)
            return picture(content).mode if by_pillow(content) else ""
        except InputError as error:
            return str(error)


@settings(max_examples=300)
@given(st.data())
def test_a_damaged_file_is_decoded_or_refused_in_one_line(data):
    """The kind: an error of Pillow's that is not caught, or a warning that is shown."""
    content = bytearray(MADE[data.draw(st.sampled_from(sorted(MADE)))])
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1) | st.integers(1, 200).map(lambda n: -n))
        content[place] = data.draw(st.integers(0, 255))
    content = bytes(content[: data.draw(st.integers(20, len(content)))])
    assert "\n" not in outcome(content)


def test_nothing_is_printed_of_a_damaged_file(tmp_path):
    content = bytearray(MADE["RGB-tiff_lzw.tif"])
    content[40:80] = b"\xff" * 40
    file = write(tmp_path / "a.tif", bytes(content))
    code = (
        "import sys; from tasks.images.pillow_images import picture\n"
        "from tasks.errors import InputError\n"
        "try: picture(open(sys.argv[1], 'rb').read())\n"
        "except InputError: print('refused')"
    )
    command = [sys.executable, "-c", code, file]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("refused\n", "")
