"""Cubic resizing is that of TensorFlow, up to the table from which that takes its curve."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tasks.execution.quiet_openvino import CORE
from tasks.export.cubic import cubic, made_cubic
from tasks.features.engines.openvino_engine import converted


def noise(height, width):
    return np.random.default_rng(0).uniform(0, 255, (2, height, width, 3)).astype(np.float32)


@pytest.mark.parametrize("size", [(16, 16), (40, 50), (7, 90), (1, 1), (33, 20)])
def test_pixels_are_those_of_tensorflow_to_the_border(size):
    images = noise(33, 47)
    expected = np.clip(tf.image.resize(images, size, method="bicubic"), 0, 255)
    np.testing.assert_allclose(cubic(images, size), expected, atol=0.3)


@pytest.mark.parametrize("aspect_ratio", ["stretch", "crop", "pad"])
def test_a_resizing_layer_becomes_cubic(aspect_ratio):
    ratio = {f"{aspect_ratio}_to_aspect_ratio": True} if aspect_ratio != "stretch" else {}
    images = keras.Input((None, None, 3))
    linear, exact = (
        keras.Model(images, keras.layers.Resizing(16, 24, way, **ratio)(images))
        for way in ("bilinear", "bicubic")
    )
    graph = tf.function(linear, autograph=False)
    spec = tf.TensorSpec((None, None, None, 3), tf.float32)
    model = made_cubic(converted(graph.get_concrete_function(spec)), (16, 24))
    found = CORE.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    values = noise(40, 48)
    expected = np.clip(exact(values), 0, 255)
    np.testing.assert_allclose(found(values)[0], expected, atol=0.3)
