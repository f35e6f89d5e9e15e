"""An ONNX graph that was exported for a batch of one size, made ready for any.

It does what `tasks.backbones.files.reshaping` does for OpenVINO. Whether the graph then computes
the same for an image alone and beside another is tried when the whole is written.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

_NEW = "any_batch/"  # before the names of what is added


def free_batch(graph: onnx.GraphProto, images: str, known: Mapping[str, Sequence[int]]) -> None:
    """Change a graph in place; `images` is its input, `known` the shapes at the file's batch."""
    constants = _constants(graph)
    shapes = {one.name: list(one.dims) for one in graph.initializer} | dict(known)
    batch, fed, nodes = shapes[images][0], {images}, list[onnx.NodeProto]()
    for node in graph.node:
        if fed.intersection(node.input):
            fed.update(node.output)
            if node.op_type == "Reshape":
                _keep_first(graph, node, constants.get(node.input[1]), shapes, batch)
            elif node.op_type == "Concat" and batch == 1:
                nodes += _repeat(graph, node, fed, shapes)
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _constants(graph: onnx.GraphProto) -> dict[str, Any]:
    """Return the constants that may be shapes, by their names."""
    found = {one.name: one for one in graph.initializer if one.data_type == onnx.TensorProto.INT64}
    for node in graph.node:
        values = [one.t for one in node.attribute if one.name == "value"]
        if node.op_type == "Constant" and values:
            found[node.output[0]] = values[0]
    return {
        name: numpy_helper.to_array(one)
        for name, one in found.items()
        if not one.external_data and len(one.dims) == 1
    }


def _keep_first(
    graph: onnx.GraphProto,
    node: onnx.NodeProto,
    pattern: Any,  # noqa: ANN401  an array, or None
    shapes: Mapping[str, Sequence[int]],
    batch: int,
) -> None:
    """Let a Reshape keep its input's first dimension, where both have the batch as a number."""
    given = shapes.get(node.input[0], ())
    zeros = any(one.name == "allowzero" and one.i for one in node.attribute)
    if pattern is None or zeros or not len(pattern) or not given:
        return
    if pattern[0] == batch == given[0]:
        kept = numpy_helper.from_array(
            np.array([0, *pattern[1:]], np.int64), f"{_NEW}{node.output[0]}/shape"
        )
        graph.initializer.append(kept)
        node.input[1] = kept.name


def _repeat(
    graph: onnx.GraphProto,
    node: onnx.NodeProto,
    fed: set[str],
    shapes: Mapping[str, Sequence[int]],
) -> list[onnx.NodeProto]:
    """Return nodes that repeat what a Concat has once for all images, and let it take theirs."""
    own = [name for name in node.input if name in fed]
    (axis,) = (one.i for one in node.attribute if one.name == "axis")
    made = list[onnx.NodeProto]()
    for place, name in enumerate(node.input):
        rank = len(shapes.get(name, ()))
        if name in fed or axis in {0, -rank} or not rank or shapes[name][0] != 1:
            continue
        start = f"{_NEW}{node.output[0]}/{place}"
        graph.initializer.extend(
            numpy_helper.from_array(np.array(values, np.int64), f"{start}/{what}")
            for what, values in (("zero", [0]), ("one", [1]), ("rest", [1] * (rank - 1)))
        )
        zero, one, like = f"{start}/zero", f"{start}/one", f"{start}/like"
        images, sides = f"{start}/images", f"{start}/sides"
        made += [
            helper.make_node("Shape", [own[0]], [like]),
            helper.make_node("Slice", [like, zero, one], [images]),
            helper.make_node("Concat", [images, f"{start}/rest"], [sides], axis=0),
            helper.make_node("Expand", [name, sides], [f"{start}/each"]),
        ]
        node.input[place] = f"{start}/each"
    return made
