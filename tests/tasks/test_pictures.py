"""Pictures of the report: whatever the file is, a picture comes out, and no address is in it."""

import base64
import io
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from stores.keys import ImageKey
from tasks.pictures import LONGEST_SIDE, learning_curves, placeholder, thumbnail

HISTORY = {
    "epoch": [1, 2, 3],
    "loss": [0.7, 0.5, 0.4],
    "accuracy": [0.5, 0.7, 0.8],
    "val_loss": [0.8, 0.6, float("nan")],
    "val_accuracy": [0.5, None, 0.75],
}


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
    assert words(thumbnail(tmp_path / "gone.png", ImageKey.of(b""))) == "file is gone"


def test_a_file_that_is_no_image_says_so(tmp_path):
    (tmp_path / "text.png").write_bytes(b"no image")
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    for path in tmp_path.iterdir():
        assert words(thumbnail(path, ImageKey.of(path.read_bytes()))) == "cannot be read"


def test_other_bytes_than_those_that_were_judged_are_not_shown(tmp_path):
    path = saved(tmp_path, Image.new("RGB", (9, 9)))
    assert words(thumbnail(path, ImageKey.of(b"other bytes"))) == "file has changed"


def test_a_placeholder_is_escaped():
    assert words(placeholder("<b>")) == "&lt;b&gt;"


def test_there_is_a_curve_for_accuracy_and_one_for_loss():
    accuracy, loss = learning_curves(pa.table(HISTORY), salt="a")
    for name, svg in (("Accuracy", accuracy), ("Loss", loss)):
        assert svg.startswith("<svg role=")
        assert {name, "epoch", "train", "validation"} <= set(re.findall(">([^<>]+)</text>", svg))


def test_a_curve_has_the_colours_of_the_page_and_no_address():
    for svg in learning_curves(pa.table(HISTORY), salt="a"):
        assert "var(--accent)" in svg
        assert "http" not in svg
        assert not re.search(r"#0[1-4]0[1-4]0[1-4]", svg)


def test_curves_do_not_share_identifiers():
    one = "".join(learning_curves(pa.table(HISTORY), salt="one"))
    other = "".join(learning_curves(pa.table(HISTORY), salt="other"))
    identifiers = re.findall(r'\bid="([^"]*)"', one + other)
    assert identifiers
    assert len(identifiers) == len(set(identifiers))


def test_the_same_history_draws_the_same_curve():
    table = pa.table(HISTORY)
    assert learning_curves(table, salt="a") == learning_curves(table, salt="a")


def test_points_are_joined_over_epochs_without_a_value():
    history = {"epoch": list(range(1, 101)), "val_loss": [None, 0.5] * 50}
    (loss,) = learning_curves(pa.table(history), salt="a")
    (line,) = re.findall(r'd="([^"]*)"[^>]*stroke: var\(--accent\); stroke-width: 1.6', loss)[:1]
    assert line.count("L") > 0
    assert line.count("M") == 1


def test_a_metric_that_is_never_there_does_no_harm():
    history = {"epoch": [1], "loss": [float("nan")], "val_loss": pa.array([None], pa.null())}
    assert len(learning_curves(pa.table(history), salt="a")) == 1


def test_matplotlib_is_left_as_it_was():
    # A process of its own: another test may have imported pyplot.
    code = (
        "import sys, matplotlib, pyarrow as pa; before = matplotlib.rcParams.copy();"
        "from tasks.pictures import learning_curves;"
        "learning_curves(pa.table({'epoch': [1], 'loss': [1.0]}), salt='a');"
        "assert 'matplotlib.pyplot' not in sys.modules;"
        "assert all(matplotlib.rcParams[k] == v for k, v in before.items() if k != 'backend')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
