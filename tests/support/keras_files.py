"""Saved Keras models, and their descriptions."""

import keras
from keras import layers

from tests.support.onnx_files import RAW, describe

SIDE = 16


def save(model, path, description=RAW):
    """Save a model, described."""
    model.save(path)
    describe(path, description)
    return path


def network(path, *, side=SIDE, seed=0, description=RAW):
    """Save a network of built-in layers: `map` (8 channels of half the side) → `pooled`."""
    keras.utils.set_random_seed(seed)
    images = keras.Input((side, side, 3), name="images")
    map_ = layers.Conv2D(8, 3, strides=2, padding="same", name="conv")(
        layers.Rescaling(1 / 128, -1)(images)
    )
    map_ = layers.ReLU(name="map")(layers.BatchNormalization(name="norm")(map_))
    pooled = layers.GlobalAveragePooling2D(name="pooled")(map_)
    return save(keras.Model(images, pooled), path, description)


def tokens(path, **options):
    """Save a network of 64 tokens of 8 numbers, with attention between them."""
    images = keras.Input((SIDE, SIDE, 3))
    map_ = layers.Conv2D(8, 2, strides=2, name="patches")(layers.Rescaling(1 / 255)(images))
    rows = layers.Reshape((64, 8))(map_)
    rows = layers.LayerNormalization()(rows + layers.MultiHeadAttention(2, 4)(rows, rows))
    return save(keras.Model(images, rows), path, **options)
