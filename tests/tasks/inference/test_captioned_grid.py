import io

import numpy as np
import pytest
from PIL import Image

from tasks.inference.captioned_grid import MOST_SHOWN, grid
from tests.support.images import encoded, every_kind, pixels, rotated, write


@pytest.mark.parametrize("count", [0, 1, 2, 7, 40])
def test_a_grid_shows_the_first_images(tmp_path, count):
    red = np.zeros((40, 60, 3), np.uint8)
    red[..., 0] = 255
    path = write(tmp_path / "red.png", encoded(red, "PNG"))
    image = Image.open(io.BytesIO(grid([(path, "red 99%")] * count)))
    shown = np.asarray(image.convert("RGB")).reshape(-1, 3)
    assert image.format == "PNG"
    assert bool((shown == (255, 0, 0)).all(axis=1).any()) == (count > 0)
    assert max(image.size) < 300 * (MOST_SHOWN**0.5 + 1)


def test_a_rotated_photograph_is_shown_as_it_was_used(tmp_path):
    upright = write(tmp_path / "upright.png", encoded(pixels(0, 48, 64), "PNG"))
    phone = write(tmp_path / "phone.png", rotated(pixels(0, 48, 64), 6, "PNG"))
    assert grid([(phone, "")]) == grid([(upright, "")])
    assert grid([(phone, "")], "stored") != grid([(upright, "")], "stored")


def test_images_of_every_kind_are_shown_and_bad_ones_are_grey(tmp_path):
    paths = [write(tmp_path / name, content) for name, content in every_kind().items()]
    paths += [write(tmp_path / "bad.png", encoded(pixels(0), "PNG")[:50]), tmp_path / "none.png"]
    for start in range(0, len(paths), MOST_SHOWN):
        assert grid([(path, path.name) for path in paths[start : start + MOST_SHOWN]])
