"""A network from a file, as OpenVINO reads it: its input, its taps, and their pooling."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tasks.backbones.files.backbone import FileBackbone, Input
from tasks.backbones.files.description import Layout, named_by
from tasks.backbones.files.layouts import check_map_layout, shown
from tasks.backbones.files.reshaping import free_batch, miscounted
from tasks.errors import InputError, unknown
from tasks.execution.quiet_openvino import CORE, ov

ops = ov.opset13

# Of a tap's shape with the batch: a vector, tokens, a map.
_VECTOR, _TOKENS, _MAP = 2, 3, 4


def read_network(path: Path) -> Any:  # noqa: ANN401  an ov.Model
    """Return the model in a file; raises InputError with OpenVINO's reason."""
    try:
        model = CORE.read_model(path)
        for operation in model.get_ordered_ops():
            operation.get_friendly_name()
            [output.get_names() for output in operation.outputs()]
    except UnicodeDecodeError:
        raise InputError(f"{path}: a tensor's name is not UTF-8; export it again") from None
    except RuntimeError as error:
        raise InputError(
            f"{path}: OpenVINO {ov.__version__.split('-')[0]} cannot read it: {_reason(error)}; "
            "export it again, with an opset that it knows (17 is read by all versions)"
        ) from None
    return model


def only_input(model: Any, path: Path) -> Input:  # noqa: ANN401
    """Return what the file says of its images; raises InputError if it does not take one image."""
    names = [name_of(parameter.output(0)) for parameter in model.get_parameters()]
    if len(names) != 1:
        raise InputError(
            f"{path}: {len(names)} inputs ({', '.join(names[:6])}), expected one, images; export "
            "only the part that reads images"
        )
    output = model.inputs[0]
    shape = [-1 if side.is_dynamic else side.get_length() for side in output.partial_shape]
    if len(shape) != _MAP or not output.element_type.is_real():
        what = "a text model?" if output.element_type.is_integral() and len(shape) == 2 else ""
        raise InputError(
            f"{path}: input {names[0]!r} is {output.element_type.get_type_name()} {shown(shape)}, "
            "expected floating-point images (batch, 3, height, width) or (batch, height, width, "
            f"3){f': {what}' if what else ''}; export the part that reads images"
        )
    return Input(names[0], tuple(shape))


def reshape(
    model: Any,  # noqa: ANN401  an ov.Model
    layout: Layout,
    image_size: tuple[int, int],
    rows: int,
    path: Path,
) -> None:
    """Give a model the shape of its images; raises InputError if it does not take them."""
    batch = model.inputs[0].partial_shape[0]
    if batch.is_static:
        free_batch(model, batch.get_length())
    shape = (3, *image_size) if layout == "NCHW" else (*image_size, 3)
    try:
        model.reshape([rows, *shape])
    except RuntimeError as error:
        raise _refused(path, image_size, _reason(error), free=batch.is_dynamic) from None


def features_model(
    path: Path,
    backbone: FileBackbone,
    outputs: Sequence[tuple[str, str]],
    *,
    image_size: tuple[int, int],
    rows: int,
) -> Any:  # noqa: ANN401  an ov.Model
    """Return the model from pixels (rows, height, width, 3), 0 to 255, to pooled taps.

    `outputs` are taps and poolings; `rows` -1 is any number of images. What no tap needs is cut
    off. Raises InputError for an unknown tap, an image size or a batch that the network does not
    take.
    """
    model = read_network(path)
    free = only_input(model, path).shape[0] < 0
    refused = partial(_refused, path, image_size, free=free)
    reshape(model, backbone.layout, image_size, rows, path)
    results = [
        _pooled(_tap(model, tap, path), pooling, backbone, path, (image_size, rows, refused))
        for tap, pooling in outputs
    ]
    whole = ov.Model([ops.result(some) for some in results], model.get_parameters(), "backbone")
    if reason := miscounted(whole):
        raise refused(reason)
    prepared = ov.preprocess.PrePostProcessor(whole)
    pixels = prepared.input()
    pixels.tensor().set_layout(ov.Layout("NHWC")).set_element_type(ov.Type.f32)
    pixels.model().set_layout(ov.Layout(backbone.layout))
    steps = pixels.preprocess()
    if backbone.channels == "bgr":
        steps.reverse_channels()
    steps.scale([1 / backbone.scale] * 3).mean(list(backbone.mean)).scale(list(backbone.std))
    return prepared.build()


def tensors(model: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the outputs of a model's operations by the names of their tensors, and by their own.

    Operations that OpenVINO has added have no name that a user knows, except in an IR, where no
    tensor may have one.
    """
    outputs = [
        output
        for operation in model.get_ordered_ops()
        if operation.get_type_name() not in {"Constant", "Parameter", "Result"}
        for output in operation.outputs()
    ]
    known = [output for output in outputs if output.get_names()] or outputs
    found = {name: output for output in known for name in output.get_names()}
    for output in known:
        if len(output.get_node().outputs()) == 1:
            found.setdefault(output.get_node().get_friendly_name(), output)
    return found


def _tap(model: Any, tap: str, path: Path) -> Any:  # noqa: ANN401
    if tap == "output" and len(model.outputs) == 1:
        return model.outputs[0].get_node().input_value(0)
    for output in model.outputs:
        if tap in output.get_names():
            return output.get_node().input_value(0)
    known = tensors(model)
    if tap in known:
        return known[tap]
    own = [name_of(output) for output in model.outputs]
    if tap == "output":
        raise InputError(
            f"{path}: {len(model.outputs)} outputs ({', '.join(own)}); name one with --tap, or as "
            f"tap in {path.name}.toml"
        )
    error = unknown("tensor", tap, known, fix=f"of {path}; its outputs: {', '.join(own)}")
    raise named_by(path, tap, error)


def _pooled(
    tap: Any,  # noqa: ANN401
    pooling: str,
    backbone: FileBackbone,
    path: Path,
    asked: tuple[tuple[int, int], int, Callable[[str], InputError]],
) -> Any:  # noqa: ANN401
    """Return a tap's pooled output, float32; raises InputError if it does not fit."""
    image_size, rows, refused = asked
    name = name_of(tap)
    if tap.partial_shape.rank.is_dynamic or any(s.is_dynamic for s in list(tap.partial_shape)[1:]):
        raise InputError(
            f"{path}: tensor {name!r} has the shape {tap.partial_shape}, which depends on the "
            "image's content; use another --tap"
        )
    shape = [-1 if side.is_dynamic else int(side.get_length()) for side in tap.partial_shape]
    if not shape or shape[0] != rows:
        raise refused(
            f"tensor {name!r} is {shown(shape)} for a batch of {rows if rows > 0 else 'any size'}"
        )
    if len(shape) == _MAP:
        check_map_layout(name, tuple(shape[1:]), backbone.map_layout, path, image_size)
    value = ops.convert(tap, "f32")
    if len(shape) == _VECTOR and pooling in {"none", "avg", "max"}:
        return value  # it has no places to pool
    if pooling == "none":
        nchw = len(shape) == _MAP and backbone.map_layout == "NCHW"
        return ops.transpose(value, [0, 2, 3, 1]) if nchw else value
    if pooling in {"avg", "max"} and len(shape) == _MAP:
        places = [2, 3] if backbone.map_layout == "NCHW" else [1, 2]
        reduce = ops.reduce_mean if pooling == "avg" else ops.reduce_max
        return reduce(value, places, keep_dims=False)
    if pooling not in {"avg", "max"} and len(shape) == _TOKENS:
        return _of_tokens(value, pooling, backbone, path, shape[1])
    fits = {
        _MAP: "avg, max or none",
        _TOKENS: "cls, mean-tokens, cls+mean or none",
        _VECTOR: "avg, which leaves it as it is",
    }
    raise InputError(
        f"--pooling {pooling}: tensor {name!r} has the shape {shown(shape[1:])}; use "
        f"--pooling {fits.get(len(shape), 'none')}"
    )


def _of_tokens(
    value: Any,  # noqa: ANN401
    pooling: str,
    backbone: FileBackbone,
    path: Path,
    count: int,
) -> Any:  # noqa: ANN401
    if pooling != "mean-tokens" and not backbone.class_token:
        raise InputError(
            f"--pooling {pooling}: {path.name}.toml says that there is no class token; use "
            "--pooling mean-tokens"
        )
    special = int(backbone.class_token) + backbone.register_tokens
    if special >= count:
        raise InputError(
            f"{path}: {count} tokens, of which {special} are a class token and registers; correct "
            f"class_token and register_tokens in {path.name}.toml"
        )
    first = ops.squeeze(ops.slice(value, [0], [1], [1], [1]), [1])
    if pooling == "cls":
        return first
    mean = ops.reduce_mean(ops.slice(value, [special], [count], [1], [1]), [1], keep_dims=False)
    return mean if pooling == "mean-tokens" else ops.concat([first, mean], 1)


def name_of(output: Any) -> str:  # noqa: ANN401  an ov.Output
    """Return the name of a tensor, or that of its operation."""
    names = sorted(output.get_names())  # of a tensor; an IR may have none
    return names[0] if names else str(output.get_node().get_friendly_name())


def _refused(path: Path, image_size: tuple[int, int], reason: str, *, free: bool) -> InputError:
    """Return the error of a size or a batch; `free` is whether the file's batch may be any."""
    height, width = image_size
    batch = (
        ", and export it with a dynamic batch, as torch.onnx.export does with "
        'dynamic_axes={"images": {0: "batch"}}'
    )
    return InputError(
        f"{path}: the network does not take batches of images of {height}×{width} pixels: "
        f"{reason}; use its own --image-size{'' if free else batch}"
    )


def _reason(error: Exception) -> str:
    """Return the last statement of OpenVINO's message, whose first lines name its sources."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not re.match(r"(Exception from|Check '|While )", line)]
    return " ".join((telling or lines)[-1].split())[:200].rstrip(".:; ")
