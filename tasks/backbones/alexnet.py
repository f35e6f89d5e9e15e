"""AlexNet, for training from scratch.

A. Krizhevsky, I. Sutskever and G. E. Hinton, "ImageNet Classification with Deep Convolutional
Neural Networks", NIPS 2012.
"""

from typing import Any

from tasks.execution.checked_keras import keras

SMALLEST = 67  # pixels, for a map of 1 by 1


def alexnet(*, input_shape: tuple[int, int, int]) -> keras.Model:
    """Return AlexNet up to its last pooling, untrained.

    Its input is preprocessed images (n, *input_shape), its output (n, 6, 6, 256) at 227 by 227, the
    size that fits the paper's 55 by 55 of the first layer. As in the paper, where each half was on
    a GPU of its own, the second, fourth and fifth convolution are in two groups. It has 2,334,080
    parameters, and 60,965,224 with the head `alexnet` for 1000 classes (torchvision's AlexNet, with
    61,100,840, is a later one with narrower layers). It has no local response normalization, which
    did not improve such networks (K. Simonyan and A. Zisserman, ICLR 2015, section 4.1). Raises
    ValueError for images that are too small.
    """
    if min(input_shape[:2]) < SMALLEST:
        raise ValueError(f"Input size must be at least {SMALLEST}x{SMALLEST}")
    images = keras.Input(input_shape)
    x = _conv(images, "conv1", filters=96, kernel=11, stride=4, padding="valid")
    x = keras.layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    x = _in_halves(x, "conv2", filters=256, kernel=5)
    x = keras.layers.MaxPooling2D(3, strides=2, name="pool2")(x)
    x = _conv(x, "conv3", filters=384)
    x = _in_halves(x, "conv4", filters=384)
    x = _in_halves(x, "conv5", filters=256)
    x = keras.layers.MaxPooling2D(3, strides=2, name="pool5")(x)
    return keras.Model(images, x, name="alexnet")


def _in_halves(x: Any, name: str, *, filters: int, kernel: int = 3) -> Any:  # noqa: ANN401
    """Convolve each half of the channels by itself.

    Conv2D(groups=2) would take XLA on TensorFlow's CPU, and be slow to train there.
    """
    halves = keras.ops.split(x, 2, axis=-1)
    made = [
        _conv(half, f"{name}_{number}", filters=filters // 2, kernel=kernel)
        for number, half in enumerate(halves, start=1)
    ]
    return keras.layers.Concatenate(name=name)(made)


def _conv(
    x: Any,  # noqa: ANN401
    name: str,
    *,
    filters: int,
    kernel: int = 3,
    stride: int = 1,
    padding: str = "same",
) -> Any:  # noqa: ANN401
    return keras.layers.Conv2D(
        filters,
        kernel,
        strides=stride,
        padding=padding,
        activation="relu",
        kernel_initializer="he_normal",
        name=name,
    )(x)
