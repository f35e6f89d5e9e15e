import keras
import numpy as np
import pytest

from tasks.backbones import efficientnet_lite
from tasks.backbones.efficientnet_lite import (
    SCALES,
    blocks_of,
    efficientnet_lite0,
    preprocess_input,
)


def build(name, size):
    return getattr(efficientnet_lite, name)(input_shape=(size, size, 3))


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("efficientnet_lite0", 3_413_024),
        ("efficientnet_lite1", 4_189_344),
        ("efficientnet_lite2", 4_869_168),
    ],
)
def test_parameter_count(name, count):
    assert build(name, 32).count_params() == count


def test_neither_the_first_nor_the_last_stage_gets_deeper():
    blocks = {name: [block.name for block in blocks_of(name)] for name in SCALES}
    assert [len(names) for names in blocks.values()] == [16, 21, 21]
    for names in blocks.values():
        assert (names[0], names[-1]) == ("block1a", "block7a")
        assert not {"block1b", "block7b"} & set(names)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((224, 224), (7, 7)), ((160, 160), (5, 5)), ((96, 96), (3, 3)), ((150, 97), (5, 4))],
)
def test_output_is_the_map_of_the_head(shape, expected):
    model = efficientnet_lite0(input_shape=(*shape, 3))
    assert model.output_shape == (None, *expected, 1280)
    images = np.random.default_rng(0).integers(0, 256, (2, *shape, 3), dtype=np.uint8)
    maps = np.asarray(model(preprocess_input(images)))
    assert maps.shape == (2, *expected, 1280)
    assert maps.min() >= 0
    assert maps.max() <= 6


def test_layers_have_the_names_of_keras_own_efficientnet():
    model = efficientnet_lite0(input_shape=(32, 32, 3))
    other = keras.applications.EfficientNetB0(weights=None, include_top=False)
    taps = [layer.name for layer in model.layers[1:]]
    assert taps == [layer.name for layer in other.layers if layer.name in taps]
    assert {"stem_conv", "block1a_dwconv", "block5c_add", "top_activation"} <= set(taps)
    for tap in ("block2b_add", "block5c_add", "block7a_project_bn", "top_activation"):
        assert model.get_layer(tap).output.shape[-1] == other.get_layer(tap).output.shape[-1]


def test_fresh_layers_of_one_shape_differ():
    fresh = efficientnet_lite0(input_shape=(32, 32, 3))
    (one,), (other,) = (fresh.get_layer(f"block6{b}_dwconv").get_weights() for b in "bc")
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32", "float64"])
def test_preprocess_input(dtype):
    x = np.array([0, 127, 255], dtype)
    expected = [-127 / 128, 0, 1]
    for images in (x, keras.ops.convert_to_tensor(x)):
        assert np.asarray(preprocess_input(images)).tolist() == expected
    assert x.tolist() == [0, 127, 255]
    assert preprocess_input(x).dtype == ("float64" if dtype == "float64" else "float32")


def test_preprocess_input_within_a_dataset_and_a_model():
    import tensorflow as tf

    images = np.full((2, 4, 4, 3), 255, np.uint8)
    (batch,) = tf.data.Dataset.from_tensors(images).map(preprocess_input)
    assert np.asarray(batch).tolist() == np.ones_like(images).tolist()
    inputs = keras.Input((4, 4, 3), dtype="uint8")
    model = keras.Model(inputs, preprocess_input(inputs))
    np.testing.assert_array_equal(model(images), np.ones_like(images))
