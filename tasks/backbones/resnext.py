"""ResNeXt50 and ResNeXt101 (32×4d), which keras.applications does not have.

The architecture is that of S. Xie et al., "Aggregated Residual Transformations for Deep Neural
Networks", CVPR 2017, Table 1, as in keras-applications 1.0.8: names, order and kernel shapes of the
layers are the same, so that its weights files fit.
"""

from typing import Any

from tasks.execution.checked_keras import keras

GROUPS = 32
SMALLEST = 32  # pixels, as for the ResNets of keras.applications
BATCH_NORM_EPSILON = 1.001e-5


def resnext50(*, input_shape: tuple[int, int, int], include_top: bool) -> keras.Model:
    """Return ResNeXt50, untrained.

    Its input is preprocessed images (n, *input_shape), its output the map (n, 7, 7, 2048) at 224 by
    224, or with `include_top` ImageNet's 1000 classes. It has 25,097,128 parameters with
    `include_top`, 23,048,128 without. Raises ValueError for images that are too small.
    """
    return _resnext("resnext50", input_shape, (3, 4, 6, 3), include_top=include_top)


def resnext101(*, input_shape: tuple[int, int, int], include_top: bool) -> keras.Model:
    """Return ResNeXt101: 44,315,560 parameters with `include_top`, 42,266,560 without."""
    return _resnext("resnext101", input_shape, (3, 4, 23, 3), include_top=include_top)


def _resnext(
    name: str, input_shape: tuple[int, int, int], blocks: tuple[int, ...], *, include_top: bool
) -> keras.Model:
    if min(input_shape[:2]) < SMALLEST:
        raise ValueError(f"Input size must be at least {SMALLEST}x{SMALLEST}")
    images = keras.Input(input_shape)
    x = keras.layers.ZeroPadding2D(3, name="conv1_pad")(images)
    x = _conv(x, "conv1", filters=64, kernel=7, stride=2)
    x = keras.layers.ReLU(name="conv1_relu")(x)
    x = keras.layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = keras.layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    for stage, count in enumerate(blocks, start=2):
        for number in range(1, count + 1):
            first = number == 1
            x = _block(
                x,
                f"conv{stage}_block{number}",
                filters=32 * 2**stage,
                stride=2 if first and stage > 2 else 1,
                widens=first,
            )
    if include_top:
        x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(x)
        x = keras.layers.Dense(1000, activation="softmax", name="probs")(x)
    return keras.Model(images, x, name=name)


def _block(inputs: Any, name: str, *, filters: int, stride: int, widens: bool) -> Any:  # noqa: ANN401
    """Return a bottleneck block with a grouped convolution and a residual connection."""
    shortcut = inputs
    if widens:
        shortcut = _conv(inputs, f"{name}_0", filters=2 * filters, stride=stride)
    x = _conv(inputs, f"{name}_1", filters=filters)
    x = keras.layers.ReLU(name=f"{name}_1_relu")(x)
    x = keras.layers.ZeroPadding2D(1, name=f"{name}_2_pad")(x)
    x = _grouped(x, f"{name}_2", stride=stride)
    x = keras.layers.ReLU(name=f"{name}_2_relu")(x)
    x = _conv(x, f"{name}_3", filters=2 * filters)
    x = keras.layers.Add(name=f"{name}_add")([shortcut, x])
    return keras.layers.ReLU(name=f"{name}_out")(x)


def _conv(x: Any, name: str, *, filters: int, kernel: int = 1, stride: int = 1) -> Any:  # noqa: ANN401
    convolution = keras.layers.Conv2D(
        filters,
        kernel,
        strides=stride,
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )
    return _normalized(convolution(x), name)


def _grouped(x: Any, name: str, *, stride: int) -> Any:  # noqa: ANN401
    """Convolve GROUPS of channels, each by itself, from as many channels to as many.

    Each channel alone makes a share of all outputs of its group, and the shares are summed: what
    Conv2D(groups=32) computes. That one takes XLA on TensorFlow's CPU, where a step of training
    took over ten times as long (four blocks at 64 by 64); and its kernels have another shape than
    in the files.
    """
    filters = x.shape[-1]
    width = filters // GROUPS
    convolution = keras.layers.DepthwiseConv2D(
        3,
        strides=stride,
        depth_multiplier=width,
        use_bias=False,
        # He initialization, for the 9 * width terms of each sum.
        depthwise_initializer=keras.initializers.RandomNormal(stddev=(2 / (9 * width)) ** 0.5),
        name=f"{name}_conv",
    )
    shares = convolution(x)
    places = shares.shape[1:3]
    shares = keras.layers.Reshape((*places, GROUPS, width, width))(shares)
    sums = keras.ops.sum(shares, axis=4)  # over the input channels
    return _normalized(keras.layers.Reshape((*places, filters))(sums), name)


def _normalized(x: Any, name: str) -> Any:  # noqa: ANN401
    return keras.layers.BatchNormalization(epsilon=BATCH_NORM_EPSILON, name=f"{name}_bn")(x)
