"""A head's Keras layers as an ONNX graph; its operations are the same from opset 13 on."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tasks.errors import InputError
from tasks.execution.checked_keras import keras

FEATURES, SCORES = "features", "scores"


class _Graph:
    """Nodes that are added one by one, and their constants."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, kind: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Any:  # noqa: ANN401
        """Return the name of a node's last output; an input is a name, or an array."""
        names = [one if isinstance(one, str) else self._constant(one) for one in inputs]
        made = [f"{kind}_{len(self.nodes)}_{n}" for n in range(outputs)]
        self.nodes.append(helper.make_node(kind, names, made, name=made[0], **attributes))
        return made[-1]

    def _constant(self, values: Any) -> str:  # noqa: ANN401
        array = np.asarray(values)
        single = array.astype(np.float32) if array.dtype.kind == "f" else array
        name = f"weights_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(single, name))
        return name


def head_graph(model: Any) -> onnx.GraphProto:  # noqa: ANN401  a Keras model
    """Return the graph of a head's model, a chain of layers, on features that are flattened.

    Raises InputError for a layer that is not known here.
    """
    graph = _Graph()
    last = graph.add("Flatten", FEATURES, axis=1)
    for about in model.get_config()["layers"]:
        kind = about["class_name"]
        if kind == "InputLayer":
            continue
        if kind not in _LAYERS:
            raise InputError(
                f"--format onnx: the head has a layer {kind}, which is not written as ONNX; use "
                "--format openvino"
            )
        last = _LAYERS[kind](graph, last, _settings(model, about))
    graph.nodes.append(helper.make_node("Identity", [last], [SCORES]))
    return helper.make_graph(
        graph.nodes,
        "head",
        [helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info(SCORES, TensorProto.FLOAT, ["n", model.output_shape[-1]])],
        graph.constants,
    )


def _settings(model: Any, about: Any) -> Any:  # noqa: ANN401
    """Return a layer; or of an operation that is no layer, what it was called with."""
    names = {layer.name for layer in model.layers}
    return model.get_layer(about["name"]) if about["name"] in names else about["config"]


def _activation(graph: _Graph, given: str, name: str) -> str:
    if name == "linear":
        return given
    if name in _PLAIN:
        kind, attributes = _PLAIN[name]
        return str(graph.add(kind, given, **attributes))
    if name == "relu6":
        return str(graph.add("Clip", given, np.array(0.0), np.array(6.0)))
    return str(graph.add("Mul", given, _gate(graph, given, name)))


def _gate(graph: _Graph, given: str, name: str) -> Any:  # noqa: ANN401
    """Return what an activation multiplies its input by."""
    if name == "silu":
        return graph.add("Sigmoid", given)
    if name == "mish":
        return graph.add("Tanh", graph.add("Softplus", given))
    assert name == "gelu"
    erf = graph.add("Erf", graph.add("Mul", given, np.array(0.5**0.5)))
    return graph.add("Mul", graph.add("Add", erf, np.array(1.0)), np.array(0.5))


def _dense(graph: _Graph, given: str, layer: Any) -> str:  # noqa: ANN401
    kernel, bias = layer.get_weights()
    outputs = graph.add("Add", graph.add("MatMul", given, kernel), bias)
    return _activation(graph, outputs, keras.activations.serialize(layer.activation))


def _batch_norm(graph: _Graph, given: str, layer: Any) -> Any:  # noqa: ANN401
    gamma, beta, mean, variance = (np.float64(values) for values in layer.get_weights())
    factor = gamma / np.sqrt(variance + layer.epsilon)
    return graph.add("Add", graph.add("Mul", given, factor), beta - mean * factor)


def _normalization(graph: _Graph, given: str, layer: Any) -> Any:  # noqa: ANN401
    mean, variance = (
        np.float64(keras.ops.convert_to_numpy(v)) for v in (layer.mean, layer.variance)
    )
    deviation = np.maximum(np.sqrt(variance), keras.backend.epsilon())
    return graph.add("Div", graph.add("Sub", given, mean), deviation)


def _unit_norm(graph: _Graph, given: str, _layer: Any) -> Any:  # noqa: ANN401
    total = graph.add("ReduceSum", graph.add("Mul", given, given), np.array([1]), keepdims=1)
    length = graph.add("Max", graph.add("Sqrt", total), np.array(1e-12))  # Keras's smallest
    return graph.add("Div", given, length)


def _nearest(graph: _Graph, given: str, settings: Any) -> Any:  # noqa: ANN401
    return graph.add("TopK", given, np.array([settings["k"]]), outputs=2)


def _rows(graph: _Graph, given: str, layer: Any) -> Any:  # noqa: ANN401
    (table,) = layer.get_weights()
    return graph.add("Gather", table, given, axis=0)


def _mean(graph: _Graph, given: str, layer: Any) -> Any:  # noqa: ANN401
    count = layer.input.shape[1]
    total = graph.add("ReduceSum", given, np.array([1]), keepdims=0)
    return graph.add("Div", total, np.array(float(count)))


_LAYERS: dict[str, Callable[[_Graph, str, Any], str]] = {
    "Dense": _dense,
    "Activation": lambda graph, given, layer: _activation(
        graph, given, keras.activations.serialize(layer.activation)
    ),
    "BatchNormalization": _batch_norm,
    "Normalization": _normalization,
    "UnitNormalization": _unit_norm,
    "TopK": _nearest,
    "Embedding": _rows,
    "GlobalAveragePooling1D": _mean,
}
# Of keras.activations: ONNX's operation, and what differs from its defaults.
_PLAIN: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("Relu", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.2}),
    "elu": ("Elu", {}),
    "selu": ("Selu", {}),
    "softplus": ("Softplus", {}),
    "tanh": ("Tanh", {}),
    "sigmoid": ("Sigmoid", {}),
    "softmax": ("Softmax", {"axis": -1}),
}
