"""A tiny backbone that writes down what it saw: the hash of every row of pixels, in a file."""

import hashlib
import os
from collections import Counter
from pathlib import Path

import keras
import tensorflow as tf

from tasks.backbones.registry import Backbone

SMALLEST = 8
SIZE = 16
# Where the hashes go, one line a row; nowhere while it is None.
diary: Path | None = None


class Witness(keras.layers.Layer):
    """Passes pixels on unchanged, and writes the hash of each row to the diary."""

    def call(self, pixels):
        seen = tf.numpy_function(_write_down, [pixels], pixels.dtype)
        return tf.ensure_shape(seen, pixels.shape)

    def compute_output_shape(self, shape):
        return shape


def tiny(*, input_shape, include_top=False):
    """Return a network with the parts that taps can be put at.

    Its layers: `first` (a map), `squeezed` (a vector), `gates` (Dense), `gated` (the last map).
    """
    if min(input_shape[:2]) < SMALLEST:
        raise ValueError(f"Input size must be at least {SMALLEST}x{SMALLEST}")
    pixels = keras.Input(input_shape)
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", name="conv")(Witness()(pixels))
    first = keras.layers.ReLU(6.0, name="first")(x)
    squeezed = keras.layers.GlobalAveragePooling2D(name="squeezed")(first)
    gates = keras.layers.Dense(8, activation="sigmoid", name="gates")(squeezed)
    gates = keras.layers.Reshape((1, 1, 8))(gates)
    return keras.Model(pixels, keras.layers.Multiply(name="gated")([first, gates]))


def preprocess_input(pixels):
    """Scale to -1…1, exactly; the diary holds what comes out of this."""
    return (pixels - 128.0) / 128.0


TINY = Backbone(
    name="tiny",
    builder="tests.support.tiny:tiny",
    preprocessor="tests.support.tiny:preprocess_input",
    preprocessing="(x - 128) / 128",
    native_size=SIZE,
    arguments=(("include_top", False),),
)


def hash_of(row):
    """Return the name under which a row of preprocessed pixels stands in the diary."""
    return hashlib.sha256(row.tobytes()).hexdigest()


def read_diary():
    """Return how often each row was seen since the last look."""
    seen = Counter(diary.read_text().split())
    diary.write_text("")
    return seen


def _write_down(pixels):
    if diary is not None:
        lines = "".join(f"{hash_of(row)}\n" for row in pixels)
        descriptor = os.open(diary, os.O_WRONLY | os.O_APPEND)
        os.write(descriptor, lines.encode())
        os.close(descriptor)
    return pixels
