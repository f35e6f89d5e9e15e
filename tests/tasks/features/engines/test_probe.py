"""The photographs by which an engine is compared with Keras: fixed, and unlike one another."""

import numpy as np
import pytest

from tasks.features.agreement import COMPARED_ROWS
from tasks.features.engines.probe import probe_pixels


@pytest.mark.parametrize("image_size", [(32, 32), (160, 96)])
def test_the_probe_is_the_same_each_time(image_size):
    pixels = probe_pixels(image_size)
    assert pixels.shape == (COMPARED_ROWS, *image_size, 3)
    assert pixels.dtype == np.float32
    assert 0 <= pixels.min() < 30
    assert 225 < pixels.max() <= 255
    assert np.array_equal(pixels, probe_pixels(image_size))
    assert len({row.tobytes() for row in pixels}) == COMPARED_ROWS
