"""Graphs that are optimized resize to the pixels of the features, at all sizes."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from tasks.execution.quiet_openvino import CORE
from tasks.export.cubic import openvino_pixels
from tasks.export.graph_pixels import graph_pixels
from tasks.features.engines.openvino_engine import converted
from tasks.images.centre_crop import CROP_FRACTION
from tasks.images.decoding import load_pixels
from tests.support.images import encoded, pixels
from tests.support.samples import RECIPE

# At 219, 110 and 293 the product with the reciprocal is less than some quotients.
SIZES = [(219, 219), (110, 110), (293, 150), (41, 97)]
# At these the padded image has the ratio of the target or nearly, or is not resized.
SIDES = [(219, 219), (110, 110), (438, 220), (60, 41), (120, 82), (41, 97), (30, 199)]


def recipe(aspect_ratio, size, interpolation="bilinear", fraction=1):
    arguments = {**dict(RECIPE.backbone_arguments), CROP_FRACTION: fraction}
    return replace(
        RECIPE,
        aspect_ratio=aspect_ratio,
        image_size=size,
        interpolation=interpolation,
        backbone_arguments=tuple(arguments.items()),
    )


def sides():
    drawn = np.random.default_rng(0).integers(25, 400, (8, 2)).tolist()
    return [*SIDES, *map(tuple, drawn)]


def by_tensorflow(made):
    spec = tf.TensorSpec([None, None, None, 3], tf.float32)
    graph = tf.function(lambda images: graph_pixels(images, made), [spec], autograph=False)
    return lambda image: graph(image).numpy()


def by_openvino(made):
    spec = tf.TensorSpec([None, None, None, 3], tf.float32)
    graph = tf.function(lambda images: openvino_pixels(images, made), autograph=False)
    model = converted(graph.get_concrete_function(spec))
    compiled = CORE.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda image: compiled(image)[0]


def differing(found, made, most):
    """Return the sides of images whose pixels differ from those of the features by more."""
    wrong = []
    for side in sides():
        image = pixels(0, *side)
        expected = load_pixels([encoded(image, "PNG")], made)
        difference = np.abs(found(image[np.newaxis].astype("f4")) - expected).max()
        wrong += [(side, difference)] if difference > most else []
    return wrong


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("aspect_ratio", ["stretch", "crop", "pad"])
def test_tensorflow_resizes_to_the_bit(aspect_ratio, size):
    made = recipe(aspect_ratio, size)
    assert differing(by_tensorflow(made), made, most=0) == []


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("aspect_ratio", ["stretch", "crop", "pad"])
def test_openvino_resizes_but_for_rounding(aspect_ratio, size):
    made = recipe(aspect_ratio, size)
    assert differing(by_openvino(made), made, most=0.05) == []


@pytest.mark.parametrize("aspect_ratio", ["stretch", "crop", "pad"])
def test_the_centre_of_a_cubic_resizing_is_taken(aspect_ratio):
    made = recipe(aspect_ratio, (96, 55), "bicubic", 0.875)
    assert differing(by_tensorflow(made), made, most=0) == []
    assert differing(by_openvino(made), made, most=0.3) == []


def test_each_image_of_several_is_resized():
    made = recipe("pad", (41, 97))
    two = np.stack([pixels(0, 60, 50), pixels(1, 60, 50)]).astype("f4")
    one_by_one = [by_tensorflow(made)(image[np.newaxis])[0] for image in two]
    np.testing.assert_array_equal(by_tensorflow(made)(two), one_by_one)
