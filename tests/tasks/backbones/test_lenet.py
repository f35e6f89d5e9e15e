"""LeNet-5: the paper's maps and count, and grey of RGB."""

import keras
import numpy as np
import pytest
from PIL import Image

from tasks.backbones.lenet import lenet5, preprocess_input
from tasks.backbones.registry import find_backbone
from tasks.heads.dense.trainer import architecture_of
from tasks.heads.presets import make_heads


def test_the_maps_are_those_of_the_paper():
    model = lenet5(input_shape=(32, 32, 1))
    shapes = {layer.name: tuple(layer.output.shape[1:]) for layer in model.layers[1:]}
    assert shapes == {"c1": (28, 28, 6), "s2": (14, 14, 6), "c3": (10, 10, 16), "s4": (5, 5, 16)}


def test_backbone_and_head_have_the_parameters_of_the_whole():
    head = make_heads(["lenet5"], {}, classes=10, feature_shape=(5, 5, 16))["lenet5"]
    shapes = architecture_of(head, 400, 10).parameters().values()
    backbone = find_backbone("lenet5").build((32, 32))
    assert backbone.count_params() + sum(map(np.prod, shapes)) == 61_706


def test_the_range_is_that_of_the_paper():
    grey = np.repeat(np.array([0, 255, 100], "f4")[:, np.newaxis], 3, axis=1)
    found = preprocess_input(grey)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[-0.1], [1.175], [0.4]], atol=1e-6)


def test_grey_is_what_pillow_and_tensorflow_make_of_colours():
    import tensorflow as tf

    pixels = np.random.default_rng(0).integers(0, 256, (9, 11, 3), np.uint8)
    grey = (preprocess_input(pixels.astype("f4"))[..., 0] + 0.1) * 200
    assert np.abs(grey - np.asarray(Image.fromarray(pixels).convert("L"), "f4")).max() < 0.51
    theirs = tf.image.rgb_to_grayscale(pixels.astype("f4"))[..., 0]
    np.testing.assert_allclose(grey, theirs, atol=0.03)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arrays_and_tensors_are_made_grey_alike(dtype):
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 4, 5, 3)).astype(dtype)
    before = pixels.copy()
    tensor = preprocess_input(keras.ops.convert_to_tensor(pixels))
    np.testing.assert_allclose(preprocess_input(pixels), tensor, atol=1e-5)
    assert np.array_equal(pixels, before)
