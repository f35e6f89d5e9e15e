"""The graph of an ONNX file and its tensors, read with the package `onnx`."""

from pathlib import Path
from typing import Any

import numpy as np

_OUTPUT = "output"  # the tap that stands for the only output


def read_in_float32(path: Path) -> tuple[Any, bool]:
    """Return a file's onnx.ModelProto, and whether it computed in float16 before.

    Half precision is raised to float32 with the same weights, as OpenVINO raises it. What lies in
    other files stays there where nothing is raised.
    """
    import onnx

    model = onnx.load(path, load_external_data=False)
    half = any(one.data_type == onnx.TensorProto.FLOAT16 for one in model.graph.initializer)
    if half:
        onnx.load_external_data_for_model(model, str(path.parent))
        _raise_half(model.graph)
    return model, half


def tensor_named(graph: Any, tap: str) -> str | None:  # noqa: ANN401  an onnx.GraphProto
    """Return the name of a tap's tensor, or None where only OpenVINO has that tap."""
    if tap == _OUTPUT and len(graph.output) == 1:
        return str(graph.output[0].name)
    known = {name: name for node in graph.node for name in node.output}
    for node in graph.node:  # OpenVINO finds a tensor by its node, too
        if len(node.output) == 1:
            known.setdefault(node.name, node.output[0])
    return known.get(tap)


def _raise_half(graph: Any) -> None:  # noqa: ANN401  an onnx.GraphProto
    from onnx import TensorProto, numpy_helper

    attributes = [one for node in graph.node for one in node.attribute]
    for tensor in [*graph.initializer, *(one.t for one in attributes if one.HasField("t"))]:
        if tensor.data_type == TensorProto.FLOAT16:
            values = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT16:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    for one in attributes:
        if one.name in {"to", "dtype"} and one.i == TensorProto.FLOAT16:
            one.i = TensorProto.FLOAT
        for inner in [*one.graphs, *([one.g] if one.HasField("g") else [])]:
            _raise_half(inner)
