"""LeNet-5, the network of handwritten digits, for training from scratch.

Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-Based Learning Applied to Document
Recognition", Proceedings of the IEEE 86(11), 1998, section II.B.
"""

from typing import Any

from tasks.execution.checked_keras import keras

SMALLEST = 16  # pixels, for a map of 1 by 1


def lenet5(*, input_shape: tuple[int, int, int]) -> keras.Model:
    """Return LeNet-5 up to its map S4, untrained.

    Its input is preprocessed grey images (n, *input_shape), its output (n, 5, 5, 16) at 32 by 32.
    It has 2,572 parameters, and 61,706 with the head `lenet5` for 10 classes. As in most later
    versions, C3 uses all maps of S2, pooling has no weights, and tanh follows each convolution. In
    the paper, C3 uses some maps, and pooling has a scale, an offset and a sigmoid. Raises
    ValueError for images that are too small.
    """
    if min(input_shape[:2]) < SMALLEST:
        raise ValueError(f"Input size must be at least {SMALLEST}x{SMALLEST}")
    images = keras.Input(input_shape)
    x = keras.layers.Conv2D(6, 5, activation="tanh", name="c1")(images)
    x = keras.layers.AveragePooling2D(2, name="s2")(x)
    x = keras.layers.Conv2D(16, 5, activation="tanh", name="c3")(x)
    x = keras.layers.AveragePooling2D(2, name="s4")(x)
    return keras.Model(images, x, name="lenet5")


def preprocess_input(x: Any) -> Any:  # noqa: ANN401
    """Return float RGB images (…, 3) from 0 to 255 as grey ones (…, 1) from -0.1 to 1.175.

    These are the paper's values of background and foreground (section II.B), with which digits have
    a mean of about 0 and a variance of about 1. In MNIST's files they are 0 and 255.
    """
    red, green, blue = (x[..., n : n + 1] for n in range(3))
    # ITU-R BT.601, as in Pillow's mode "L" and, rounded, in tf.image.rgb_to_grayscale.
    grey = 0.299 * red + 0.587 * green + 0.114 * blue
    return grey / 200 - 0.1
