"""Images of the report: whatever the file is, a picture comes out, and no address is in it."""

import base64
import io
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stores.keys import ImageKey
from tasks.images.exif import key_of
from tasks.images.thumbnails import LONGEST_SIDE, placeholder, thumbnail
from tests.support.images import rotated, write


def shown(path: Path) -> Image.Image:
    uri = thumbnail(path, ImageKey.of(path.read_bytes()))
    found = re.fullmatch(r"data:image/(png|jpeg);base64,([A-Za-z0-9+/=]+)", uri)
    assert found, uri[:80]
    return Image.open(io.BytesIO(base64.b64decode(found[2])))


def saved(tmp_path: Path, image: Image.Image, name: str = "image.png") -> Path:
    image.save(tmp_path / name)
    return tmp_path / name


def words(uri: str) -> str:
    svg = base64.b64decode(uri.removeprefix("data:image/svg+xml;base64,")).decode()
    return re.sub("<[^>]*>", "", svg)


def test_a_photograph_is_made_small(tmp_path):
    path = saved(tmp_path, Image.new("RGB", (1200, 600), "orange"), "photograph.jpg")
    image = shown(path)
    assert (image.size, image.format) == ((LONGEST_SIDE, LONGEST_SIDE // 2), "JPEG")
    assert np.abs(np.array(image)[50, 100].astype(int) - (255, 165, 0)).max() < 8


def test_a_tiny_image_is_enlarged_pixel_by_pixel(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    image = shown(saved(tmp_path, Image.fromarray(pixels)))
    assert image.size == (200, 200)
    assert np.array_equal(np.array(image)[12::25, 12::25, 0], pixels)
    assert set(np.unique(np.array(image))) == set(np.unique(pixels))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_each_mode_of_png_is_shown_as_rgb(tmp_path, mode):
    image = Image.new("RGBA", (300, 300), (200, 200, 200, 255)).convert(mode)
    assert shown(saved(tmp_path, image)).mode == "RGB"


def test_cmyk_is_shown_in_its_colours(tmp_path):
    path = saved(tmp_path, Image.new("RGB", (300, 300), "red").convert("CMYK"), "print.jpg")
    red, green, blue = np.array(shown(path))[100, 100]
    assert red > 200
    assert max(green, blue) < 60


def test_sixteen_bits_are_scaled_and_not_cut_off(tmp_path):
    pixels = np.full((300, 300), 0x8000, np.uint16)
    assert abs(int(np.array(shown(saved(tmp_path, Image.fromarray(pixels)))).mean()) - 128) < 3


def test_a_palette_with_transparency_keeps_its_colour(tmp_path):
    image = Image.new("P", (300, 300), 0)
    image.putpalette([0, 128, 0])
    image.save(tmp_path / "palette.png", transparency=b"\x00")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pixel = np.array(shown(tmp_path / "palette.png"))[100, 100]
    assert np.abs(pixel.astype(int) - (0, 128, 0)).max() <= 2


def test_a_very_long_image_keeps_at_least_a_pixel(tmp_path):
    assert shown(saved(tmp_path, Image.new("RGB", (3000, 1)))).size == (LONGEST_SIDE, 1)


def test_a_file_that_is_gone_says_so(tmp_path):
    assert words(thumbnail(tmp_path / "gone.png", ImageKey.of(b""))) == "file not found"


def test_a_file_that_is_no_image_says_so(tmp_path):
    (tmp_path / "text.png").write_bytes(b"no image")
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    for path in tmp_path.iterdir():
        assert words(thumbnail(path, ImageKey.of(path.read_bytes()))) == "cannot be read"


def test_other_bytes_than_those_that_were_judged_are_not_shown(tmp_path):
    path = saved(tmp_path, Image.new("RGB", (9, 9)))
    assert words(thumbnail(path, ImageKey.of(b"other bytes"))) == "file has changed"


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_a_rotated_photograph_is_shown_as_its_key_says(tmp_path, kind):
    picture = np.zeros((200, 100, 3), np.uint8)
    picture[:100] = 255  # white above
    content = rotated(picture, 6, kind)
    path = write(tmp_path / "phone.jpg", content)
    upright = thumbnail(path, key_of(content, "upright"))
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(upright.partition(",")[2]))))
    assert image.shape[:2] == (200, 100)
    assert image[:90].min() > 230
    assert image[110:].max() < 25
    stored = thumbnail(path, key_of(content, "stored"))
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(stored.partition(",")[2]))))
    assert image.shape[:2] == (100, 200)


def test_a_placeholder_is_escaped():
    assert words(placeholder("<b>")) == "&lt;b&gt;"
