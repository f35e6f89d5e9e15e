"""ResNeXt: the counts of keras-applications, grouped convolutions, and training on a CPU."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.legacy.saving import legacy_h5_format

from tasks.backbones import resnext
from tasks.backbones.registry import find_backbone
from tasks.backbones.resnext import resnext50
from tasks.backbones.weights import build_backbone, find_weights
from tasks.heads.dense.trainer import architecture_of
from tasks.heads.presets import make_heads

SIZE = (32, 32)


@pytest.fixture(scope="module")
def model():
    backbone = find_backbone("resnext50")
    weights = find_weights(backbone, "none", image_size=SIZE, seed=0, store="unused")
    return build_backbone(backbone, weights, SIZE)


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("resnext50", 25_097_128),
        pytest.param("resnext101", 44_315_560, marks=pytest.mark.server),
    ],
)
def test_parameter_count_with_the_top_of_imagenet(name, whole):
    builder = getattr(resnext, name)
    assert builder(input_shape=(*SIZE, 3), include_top=True).count_params() == whole
    top = make_heads(["resnet-softmax"], {}, classes=1000)["resnet-softmax"]
    shapes = architecture_of(top, 2048, 1000).parameters().values()
    backbone = find_backbone(name).build(SIZE)
    assert backbone.count_params() + sum(map(np.prod, shapes)) == whole


@pytest.mark.parametrize(("height", "width"), [(75, 97), (32, 33)])
def test_any_size_that_resnet_accepts_gives_a_map_of_the_same_size(height, width):
    other = keras.applications.ResNet50(
        weights=None, include_top=False, input_shape=(height, width, 3)
    )
    model = resnext50(input_shape=(height, width, 3), include_top=False)
    assert model.output_shape == other.output_shape


@pytest.mark.parametrize("block", ["conv2_block1", "conv3_block1", "conv5_block3"])
def test_groups_are_convolved_as_keras_own_grouped_convolution(model, block):
    before = model.get_layer(f"{block}_2_pad").output
    after = model.get_layer(f"{block}_2_bn").input
    convolution = model.get_layer(f"{block}_2_conv")
    (kernel,) = convolution.get_weights()
    filters, width = kernel.shape[2:]
    images = np.random.default_rng(0).normal(size=(2, *before.shape[1:])).astype("f4")
    grouped = keras.layers.Conv2D(
        filters, 3, strides=convolution.strides, groups=32, use_bias=False
    )
    grouped.build(images.shape)
    # (3, 3, in, made of each) becomes (3, 3, in of a group, out)
    by_group = kernel.reshape(3, 3, 32, width, width).transpose(0, 1, 3, 2, 4)
    grouped.set_weights([by_group.reshape(3, 3, width, filters)])
    np.testing.assert_allclose(
        keras.Model(before, after)(images), grouped(images), atol=1e-5, rtol=1e-4
    )


def test_untrained_groups_keep_the_size_of_what_passes_them(model):
    for name, width in (("conv2_block1", 4), ("conv5_block1", 32)):
        (kernel,) = model.get_layer(f"{name}_2_conv").get_weights()
        assert kernel.std() == pytest.approx((2 / (9 * width)) ** 0.5, rel=0.05)


def test_every_variable_has_a_gradient_on_a_cpu(model):
    images = np.random.default_rng(0).normal(size=(2, *SIZE, 3)).astype("f4")
    with tf.device("CPU"), tf.GradientTape() as tape:
        loss = tf.reduce_mean(model(images, training=False) ** 2)
    gradients = tape.gradient(loss, model.trainable_variables)
    assert all(np.isfinite(one).all() and np.any(one) for one in gradients)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_legacy_file_of_the_same_layers_is_loaded(model, tmp_path):
    import h5py

    with h5py.File(tmp_path / "legacy.h5", "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)
    backbone, path = find_backbone("resnext50"), str(tmp_path / "legacy.h5")
    weights = find_weights(backbone, path, image_size=SIZE, seed=0, store="unused")
    loaded = build_backbone(backbone, weights, SIZE)
    pairs = zip(loaded.get_weights(), model.get_weights(), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


def test_the_preprocessing_is_that_of_keras_in_torch_mode():
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 3, 3, 3)).astype("f4")
    expected = keras.applications.imagenet_utils.preprocess_input(pixels.copy(), mode="torch")
    np.testing.assert_array_equal(find_backbone("resnext50").preprocess(pixels.copy()), expected)
