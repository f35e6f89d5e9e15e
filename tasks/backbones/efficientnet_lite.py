"""EfficientNet-Lite0 to Lite2: backbones with ImageNet weights in Python packages.

The architectures are EfficientNet-B0 to B2 (M. Tan and Q. V. Le, "EfficientNet: Rethinking Model
Scaling for Convolutional Neural Networks", ICML 2019) with the changes of the TensorFlow TPU
repository for EfficientNet-Lite: no squeeze-and-excitation, ReLU6 instead of swish, and a fixed
stem, head and depth of the first and last stage. The layers have the names of Keras's
EfficientNets.
"""

import math
from collections.abc import Iterator
from string import ascii_lowercase
from typing import Any, NamedTuple

import numpy as np

from tasks.execution.checked_keras import keras

STEM_FILTERS = 32
HEAD_FILTERS = 1280
BATCH_NORM_EPSILON = 1e-3

# Multipliers of width and depth, relative to Lite0, of the TPU repository.
SCALES = {
    "efficientnet_lite0": (1.0, 1.0),
    "efficientnet_lite1": (1.0, 1.1),
    "efficientnet_lite2": (1.1, 1.2),
}
# kernel, stride of the first block, expansion, filters and number of blocks: Table 1 of the paper.
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)


class Block(NamedTuple):
    """One inverted residual block."""

    name: str
    kernel: int
    stride: int
    expansion: int
    filters: int
    residual: bool


def efficientnet_lite0(*, input_shape: tuple[int, int, int]) -> keras.Model:
    """Return EfficientNet-Lite0 without its classifier, untrained.

    Its input is preprocessed images (n, *input_shape), its output the map after the head's ReLU6:
    (n, 7, 7, 1280) at 224 by 224. It has 3,413,024 parameters. Unlike Keras's EfficientNets, it has
    no stochastic depth in training.
    """
    return _build("efficientnet_lite0", input_shape)


def efficientnet_lite1(*, input_shape: tuple[int, int, int]) -> keras.Model:
    """Return EfficientNet-Lite1, which is deeper: 4,189,344 parameters; otherwise as Lite0."""
    return _build("efficientnet_lite1", input_shape)


def efficientnet_lite2(*, input_shape: tuple[int, int, int]) -> keras.Model:
    """Return EfficientNet-Lite2, deeper and wider: 4,869,168 parameters; otherwise as Lite0."""
    return _build("efficientnet_lite2", input_shape)


def preprocess_input(x: Any) -> Any:  # noqa: ANN401
    """Return `(x - 127) / 128` of RGB images from 0 to 255, an array or a tensor of any shape.

    Whole numbers become Keras's float type first (uint8 would wrap around); `x` is not changed.
    """
    if not keras.backend.is_float_dtype(keras.backend.standardize_dtype(x.dtype)):
        dtype = keras.config.floatx()
        x = x.astype(dtype) if isinstance(x, np.ndarray) else keras.ops.cast(x, dtype)
    return (x - 127.0) / 128.0


def blocks_of(name: str) -> Iterator[Block]:
    """Yield a network's blocks, from input to output."""
    width, depth = SCALES[name]
    for number, (kernel, stride, expansion, filters, repeats) in enumerate(STAGES, start=1):
        scaled = 1 < number < len(STAGES)
        for letter in ascii_lowercase[: math.ceil(depth * repeats) if scaled else repeats]:
            first = letter == "a"
            yield Block(
                name=f"block{number}{letter}",
                kernel=kernel,
                stride=stride if first else 1,
                expansion=expansion,
                filters=_in_eights(width * filters),
                residual=not first,
            )


def _build(name: str, input_shape: tuple[int, int, int]) -> keras.Model:
    images = keras.Input(input_shape)
    x = _conv(images, "stem", filters=STEM_FILTERS, kernel=3, stride=2)
    for block in blocks_of(name):
        x = _inverted_residual(x, block)
    x = _conv(x, "top", filters=HEAD_FILTERS)
    return keras.Model(images, x, name=name)


def _in_eights(filters: float) -> int:
    """Return the nearest multiple of 8 that is at least 90 % of the number."""
    rounded = max(8, int(filters + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * filters else rounded + 8


def _inverted_residual(inputs: Any, block: Block) -> Any:  # noqa: ANN401
    """Expand, convolve depthwise, and project; then add the input in a residual block."""
    name = block.name
    x = inputs
    if block.expansion > 1:
        filters = block.expansion * inputs.shape[-1]
        x = _conv(x, f"{name}_expand", filters=filters)
    x = keras.layers.DepthwiseConv2D(
        block.kernel,
        strides=block.stride,
        padding="same",
        use_bias=False,
        depthwise_initializer=_initializer(),
        name=f"{name}_dwconv",
    )(x)
    x = _normalized(x, name)
    x = _conv(x, f"{name}_project", filters=block.filters, activation=False)
    return keras.layers.Add(name=f"{name}_add")([x, inputs]) if block.residual else x


def _conv(
    x: Any,  # noqa: ANN401
    name: str,
    *,
    filters: int,
    kernel: int = 1,
    stride: int = 1,
    activation: bool = True,
) -> Any:  # noqa: ANN401
    x = keras.layers.Conv2D(
        filters,
        kernel,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer=_initializer(),
        name=f"{name}_conv",
    )(x)
    return _normalized(x, name, activation=activation)


def _normalized(x: Any, name: str, *, activation: bool = True) -> Any:  # noqa: ANN401
    x = keras.layers.BatchNormalization(epsilon=BATCH_NORM_EPSILON, name=f"{name}_bn")(x)
    return keras.layers.ReLU(6.0, name=f"{name}_activation")(x) if activation else x


def _initializer() -> keras.initializers.Initializer:
    # A new one for each layer, because an initializer returns the same numbers at each call.
    return keras.initializers.VarianceScaling(2.0, mode="fan_out", distribution="truncated_normal")
