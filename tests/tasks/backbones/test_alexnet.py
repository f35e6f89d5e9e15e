"""AlexNet: the paper's maps and count, and two halves that do not see each other."""

import numpy as np
import tensorflow as tf

from tasks.backbones.alexnet import alexnet
from tasks.backbones.registry import find_backbone
from tasks.heads.dense.trainer import architecture_of
from tasks.heads.presets import make_heads


def test_the_maps_are_those_of_the_paper():
    model = alexnet(input_shape=(227, 227, 3))
    taps = ("conv1", "conv2", "conv3", "conv4", "conv5")
    shapes = [tuple(model.get_layer(tap).output.shape[1:]) for tap in taps]
    assert shapes == [(55, 55, 96), (27, 27, 256), (13, 13, 384), (13, 13, 384), (13, 13, 256)]
    assert model.output_shape == (None, 6, 6, 256)


def test_backbone_and_head_have_the_parameters_of_the_whole():
    head = make_heads(["alexnet"], {}, classes=1000, feature_shape=(6, 6, 256))["alexnet"]
    shapes = architecture_of(head, 6 * 6 * 256, 1000).parameters().values()
    backbone = find_backbone("alexnet").build((227, 227))
    assert backbone.count_params() + sum(map(np.prod, shapes)) == 60_965_224


def test_every_variable_has_a_gradient_on_a_cpu():
    model = alexnet(input_shape=(67, 67, 3))
    images = np.random.default_rng(0).normal(size=(4, 67, 67, 3)).astype("f4")
    with tf.device("CPU"), tf.GradientTape() as tape:
        loss = tf.reduce_mean(model(images) ** 2)
    gradients = tape.gradient(loss, model.trainable_variables)
    assert len(gradients) == 2 * 8
    assert all(np.isfinite(one).all() and np.any(one) for one in gradients)
