"""Cubic resizing is that of TensorFlow, up to the table from which that takes its curve."""

import numpy as np
import pytest
import tensorflow as tf

from tasks.export.cubic import cubic


def noise(height, width):
    return np.random.default_rng(0).uniform(0, 255, (2, height, width, 3)).astype(np.float32)


@pytest.mark.parametrize("size", [(16, 16), (40, 50), (7, 90), (1, 1), (33, 20)])
def test_pixels_are_those_of_tensorflow_to_the_border(size):
    images = noise(33, 47)
    expected = np.clip(tf.image.resize(images, size, method="bicubic"), 0, 255)
    np.testing.assert_allclose(cubic(images, size), expected, atol=0.3)
