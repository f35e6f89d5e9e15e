"""Tiny networks as ONNX files, made with `onnx`, and their descriptions."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tasks.execution.quiet_openvino import CORE, ov

RAW = 'preset = "raw"'
IMAGENET = 'preset = "imagenet"'
CHANNELS = 8


def weights(name, shape, seed=0):
    """Return a tensor of random weights."""
    values = np.random.default_rng(seed).normal(0, 0.2, shape).astype(np.float32)
    return numpy_helper.from_array(values, name)


def node(kind, inputs, output, **attributes):
    """Return a node with one output, whose name it has, too."""
    return helper.make_node(kind, inputs.split(), [output], name=f"the_{output}", **attributes)


def network(
    path,
    *,
    inputs=(("images", TensorProto.FLOAT, ("n", 3, 16, 16)),),
    nodes=(),
    outputs=("pooled",),
    more=(),
    opset=17,
    seed=0,
    description=RAW,
):
    """Write a network: images → `map` (8 channels of 8 × 8) → `pooled`, and more nodes after it."""
    usual = [
        node("Conv", f"{inputs[0][0]} kernel bias", "conv", pads=[1] * 4, strides=[2, 2]),
        node("Relu", "conv", "map"),
        node("GlobalAveragePool", "map", "mean"),
        node("Flatten", "mean", "pooled"),
    ]
    constants = [weights("kernel", (CHANNELS, 3, 3, 3), seed), weights("bias", CHANNELS, seed + 1)]
    graph = helper.make_graph(
        [*usual, *nodes],
        "tiny",
        [helper.make_tensor_value_info(*one) for one in inputs],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [*constants, *more],
    )
    for output in graph.output:
        output.type.tensor_type.elem_type = TensorProto.FLOAT
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return save(model, path, description)


def save(model, path, description=RAW, **options):
    """Write a model and its description."""
    onnx.save(model, path, **options)
    describe(path, description)
    return path


def describe(path, description):
    """Write the description of a file."""
    path.with_name(f"{path.name}.toml").write_text(description)


def tokens(path, **options):
    """Write a network of tokens (n, 65, 8): the first is a class token, 64 are places."""
    shape = numpy_helper.from_array(np.array([0, CHANNELS, -1]), "shape")
    nodes = [
        node("Reshape", "map shape", "flat"),
        node("Unsqueeze", "pooled axis", "alone"),
        node("Concat", "alone flat", "all", axis=2),
        node("Transpose", "all", "tokens", perm=[0, 2, 1]),
    ]
    axis = numpy_helper.from_array(np.array([2]), "axis")
    return network(path, nodes=nodes, outputs=("tokens",), more=(shape, axis), **options)


def of_one(path, **options):
    """Write a network whose batch of 1 is in its input's shape, and in the middle of it."""
    given = (("images", TensorProto.FLOAT, (1, 3, 16, 16)),)
    shape = numpy_helper.from_array(np.array([1, 64 * CHANNELS]), "shape")
    more = [node("Reshape", "map shape", "flat")]
    options = {"inputs": given, "nodes": more, "outputs": ("flat",), "more": (shape,)} | options
    return network(path, **options)


def transformer_of_one(path):
    """Write attention (1, 65, 8) as PyTorch exports it for one image: in each shape there is a 1.

    The token of the class is a constant, expanded to one image.
    """
    shapes = {
        "as_places": [1, CHANNELS, 64],
        "as_heads": [1, 65, 3, 2, CHANNELS // 2],
        "as_tokens": [1, 65, CHANNELS],
    }
    nodes = [
        node("Reshape", "map as_places", "flat"),
        node("Transpose", "flat", "places", perm=[0, 2, 1]),
        node("Concat", "class places", "all", axis=1),
        node("Add", "all position", "placed"),
        node("MatMul", "placed qkv_weights", "qkv_flat"),
        node("Reshape", "qkv_flat as_heads", "qkv_heads"),
        node("Transpose", "qkv_heads", "qkv", perm=[2, 0, 3, 1, 4]),
        *(node("Gather", f"qkv number{n}", name, axis=0) for n, name in enumerate("qkv")),
        node("Transpose", "k", "turned", perm=[0, 1, 3, 2]),
        node("MatMul", "q turned", "alike"),
        node("Softmax", "alike", "share", axis=-1),
        node("MatMul", "share v", "found"),
        node("Transpose", "found", "found_turned", perm=[0, 2, 1, 3]),
        node("Reshape", "found_turned as_tokens", "tokens"),
    ]
    constants = [
        *(numpy_helper.from_array(np.array(shape), name) for name, shape in shapes.items()),
        *(numpy_helper.from_array(np.array(n), f"number{n}") for n in range(3)),
        weights("class", (1, 1, CHANNELS), 3),
        weights("position", (1, 65, CHANNELS), 4),
        weights("qkv_weights", (CHANNELS, 3 * CHANNELS), 5),
    ]
    return of_one(path, nodes=nodes, outputs=("tokens",), more=constants)


def windows_of_one(path):
    """Write attention within windows, which has the number of all windows as its batch."""
    shapes = {"as_windows": [1, 8, 2, 4, 2, 4], "as_batch": [4, 16, CHANNELS]}
    nodes = [
        node("Reshape", "map as_windows", "apart"),
        node("Transpose", "apart", "moved", perm=[0, 2, 4, 3, 5, 1]),
        node("Reshape", "moved as_batch", "windows"),
        node("ReduceMean", "windows", "means", axes=[1]),
        node("Reshape", "means as_vector", "out"),
    ]
    shapes["as_vector"] = [1, 4 * CHANNELS]
    constants = [numpy_helper.from_array(np.array(some), name) for name, some in shapes.items()]
    return of_one(path, nodes=nodes, outputs=("out",), more=constants)


def half(path):
    """Write a network that computes in half precision."""
    model = onnx.load(network(path))
    _halve(model.graph.initializer)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    return save(model, path)


def mixed(path):
    """Write a network of float32 that computes in half precision in between."""
    model = onnx.load(network(path))
    _halve(model.graph.initializer)
    convolution = model.graph.node[0]
    convolution.input[0] = "images_half"
    half_scale = numpy_helper.from_array(np.array(0.125, np.float16))
    nodes = [
        node("Cast", "images", "images_in_half", to=TensorProto.FLOAT16),
        helper.make_node("Constant", [], ["half_scale"], value=half_scale),
        node("Mul", "images_in_half half_scale", "images_half"),
        *model.graph.node[:-1],
        node("Cast", "mean", "mean_whole", to=TensorProto.FLOAT),
        node("Flatten", "mean_whole", "pooled"),
    ]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return save(model, path)


def _halve(tensors):
    for tensor in tensors:
        values = numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def nhwc(path, **options):
    """Write the network and map of `network` with the channels last."""
    constants = [weights("kernel", (CHANNELS, 3, 3, 3)), weights("bias", CHANNELS, 1)]
    nodes = [
        node("Transpose", "images", "turned", perm=[0, 3, 1, 2]),
        node("Conv", "turned kernel bias", "conv", pads=[1] * 4, strides=[2, 2]),
        node("Relu", "conv", "inner"),
        node("Transpose", "inner", "map", perm=[0, 2, 3, 1]),
    ]
    about = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("images", ("n", 16, 16, 3)), ("map", ("n", 8, 8, CHANNELS)))
    ]
    graph = helper.make_graph(nodes, "tiny", about[:1], about[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return save(model, path, **options)


def as_ir(path, place, description=RAW):
    """Write an ONNX file as OpenVINO's own format, at a place that ends in .xml."""
    ov.save_model(CORE.read_model(path), place, compress_to_fp16=False)
    describe(place, description)
    return place
