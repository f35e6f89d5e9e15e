"""The part of an ONNX file up to a tap, and the tap's pooling, as ONNX models."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import (
    TensorProto,
    helper,
    numpy_helper,
    parser,
    shape_inference,
    utils,
    version_converter,
)

from stores.features.recipe import Pooling, Recipe
from tasks.backbones.files.backbone import of_recipe
from tasks.backbones.files.onnx_graph import read_in_float32, tensor_named
from tasks.errors import InputError
from tasks.export.onnx_batch import free_batch
from tasks.export.onnx_head import FEATURES
from tasks.export.onnx_pixels import OPSET

TAP = "tap"
_ELEMENTS = {TensorProto.FLOAT, TensorProto.DOUBLE}
_TOKENS, _MAP = 2, 3  # numbers of a tap's shape, without the batch


def cut_backbone(path: Path, tap: str) -> tuple[onnx.ModelProto, str, str, int]:
    """Return a file's model up to a tap, its input and output, and the type of the input's numbers.

    What lies in other files stays there, and half precision becomes float32, as features are
    computed. The opset is the file's own, or the first that the other
    parts know. Raises InputError where a part is missing, or not known.
    """
    model, _ = read_in_float32(path)
    if _opset(model) < OPSET:
        model = version_converter.convert_version(model, OPSET)
    graph = model.graph
    constants = {one.name for one in graph.initializer}  # before IR 4, they are inputs too
    (images,) = (one for one in graph.input if one.name not in constants)
    element = images.type.tensor_type.elem_type
    if element not in _ELEMENTS:
        kind = TensorProto.DataType.Name(element).lower()
        raise InputError(f"{path}: its input is of {kind}; export it in float32")
    tensor = tensor_named(graph, tap)
    if tensor is None:
        raise InputError(
            f"{path}: {tap!r} is a tensor that only OpenVINO has; export for --format openvino"
        )
    inferred = shape_inference.infer_shapes(model).graph
    known = {one.name: one for one in (*inferred.value_info, *inferred.output)}
    output = known.get(tensor) or helper.make_tensor_value_info(tensor, element, None)
    shapes = {name: _shape(one) for name, one in known.items()} | {images.name: _shape(images)}
    if shapes[images.name][0] > 0:
        free_batch(graph, images.name, shapes)
    del graph.value_info[:], graph.output[:], graph.input[:]
    graph.input.append(images)
    graph.output.append(output)
    # The extractor looks into no graph within a node, and would leave out what only that needs.
    if not any(one.HasField("g") or one.graphs for node in graph.node for one in node.attribute):
        model = utils.Extractor(model).extract_model([images.name], [tensor])
    return model, images.name, tensor, element


def pooling_graph(recipe: Recipe, shape: list[int]) -> onnx.GraphProto:
    """Return the graph from a tap of a shape, a vector, tokens or a map, to its features.

    A map's shape is (height, width, channels), in whichever order the file has it.
    """
    about = of_recipe(recipe)
    special = int(about.class_token) + about.register_tokens
    nchw = about.map_layout == "NCHW"
    graph = parser.parse_graph(f"""
pooling (float {TAP}) => (float {FEATURES}) {{
  value = Cast<to=1>({TAP})
  {_steps(recipe.pooling, len(shape), nchw=nchw)}
}}""")
    numbers: dict[str, Any] = {
        "first": np.array(0),
        "special": np.array([special]),
        "end": np.array([shape[0]]),
        "places": np.array([1]),
        "count": np.array(shape[0] - special, np.float32),
    }
    used = {name for node in graph.node for name in node.input}
    graph.initializer.extend(
        numpy_helper.from_array(some, name) for name, some in numbers.items() if name in used
    )
    return graph


def _steps(pooling: Pooling, rank: int, *, nchw: bool) -> str:
    """Return the lines from `value` to features; `rank` is that of the tap without the batch."""
    if rank == _MAP:
        if pooling == "none":
            perm = [0, 2, 3, 1] if nchw else [0, 1, 2, 3]
            return f"{FEATURES} = Transpose<perm={perm}>(value)"
        perm = [0, 1, 2, 3] if nchw else [0, 3, 1, 2]
        kind = "GlobalAveragePool" if pooling == "avg" else "GlobalMaxPool"
        return f"""
  planes = Transpose<perm={perm}>(value)
  pooled = {kind}(planes)
  {FEATURES} = Flatten<axis=1>(pooled)"""
    if rank == _TOKENS and pooling != "none":
        mean = """
  of_places = Slice(value, special, end, places)
  sum = ReduceSum<keepdims=0>(of_places, places)
  mean = Div(sum, count)"""
        alone = "class_token = Gather<axis=1>(value, first)"
        return {
            "cls": f"{alone}\n  {FEATURES} = Identity(class_token)",
            "mean-tokens": f"{mean}\n  {FEATURES} = Identity(mean)",
            "cls+mean": f"{alone}{mean}\n  {FEATURES} = Concat<axis=1>(class_token, mean)",
        }[pooling]
    return f"{FEATURES} = Identity(value)"


def _shape(value: onnx.ValueInfoProto) -> list[int]:
    """Return the shape of a tensor, with -1 for what varies; [] where it is not known."""
    sides = value.type.tensor_type.shape.dim
    return [int(side.dim_value) if side.HasField("dim_value") else -1 for side in sides]


def _opset(model: onnx.ModelProto) -> int:
    return max(int(one.version) for one in model.opset_import if one.domain in {"", "ai.onnx"})
