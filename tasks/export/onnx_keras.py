"""A Keras model from pixels to scores, with the resizing before it, as one ONNX model."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, checker, compose, helper

from stores.features.recipe import Recipe
from tasks.backbones.files.backbone import with_layout
from tasks.backbones.files.description import Description
from tasks.errors import InputError
from tasks.execution.checked_keras import tf
from tasks.export.onnx_head import SCORES
from tasks.export.onnx_model import IR_VERSION, PREFIX, prefixed
from tasks.export.onnx_pixels import PREPARED, pixels_graph

_OPSET = 17  # the newest that all versions of onnxruntime and OpenVINO read that we allow
# The model prepares its pixels itself: before it they are only resized.
_AS_THEY_ARE = with_layout("keras", "", Description(), "NHWC")


def check_tf2onnx() -> None:
    """Raise InputError where the package is missing that converts Keras models."""
    if find_spec("tf2onnx") is None:
        raise InputError(
            "--format onnx: a Keras backbone needs the package tf2onnx: pip install 'gargalo[onnx]'"
        )


def write_keras_as_onnx(model: Any, recipe: Recipe, path: Path) -> None:  # noqa: ANN401
    """Write what `join` returned for a recipe, for images (n, height, width, 3) of 0 to 255.

    Raises InputError if tf2onnx cannot convert it.
    """
    check_tf2onnx()
    try:
        network = _converted(model, recipe.image_size)
        onnx.save(_with_resizing(network, recipe), path)
        checker.check_model(path)
    except Exception as error:  # whatever tf2onnx, TensorFlow and onnx raise
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"--format onnx: {recipe.backbone} cannot be written as an ONNX model: {reason}; use "
            "another --format"
        ) from error


def _converted(model: Any, image_size: tuple[int, int]) -> onnx.ModelProto:  # noqa: ANN401
    import tf2onnx

    spec = [tf.TensorSpec((None, *image_size, 3), tf.float32, "pixels")]
    graph = tf.function(
        lambda pixels: model(pixels, training=False), input_signature=spec, autograph=False
    )
    network: onnx.ModelProto
    network, _ = tf2onnx.convert.from_function(graph, input_signature=spec, opset=_OPSET)
    return network


def _with_resizing(network: onnx.ModelProto, recipe: Recipe) -> onnx.ModelProto:
    """Return a network of one input and one output behind the resizing of a recipe."""
    own = network.graph
    (found,) = own.output
    own.node.append(helper.make_node("Identity", [found.name], [SCORES]))
    named = helper.make_tensor_value_info(SCORES, TensorProto.FLOAT, ["n", None])
    del own.output[:], own.value_info[:]
    own.output.append(named)
    own.name, (given,) = "network", own.input
    pixels = pixels_graph(recipe, _AS_THEY_ARE, TensorProto.FLOAT)
    graph = compose.merge_graphs(
        prefixed(pixels, keep="inputs"),
        prefixed(own, keep="outputs"),
        [(f"{PREFIX}pixels/{PREPARED}", f"{PREFIX}network/{given.name}")],
        name="classifier",
        doc_string="",
    )
    return helper.make_model(
        graph,
        producer_name="gargalo",
        opset_imports=network.opset_import,
        ir_version=IR_VERSION,
        functions=network.functions,
    )
