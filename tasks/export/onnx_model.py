"""One ONNX model from pixels to scores: a backbone from an ONNX file, with what is around it."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import checker, compose, helper

from tasks.backbones.files.backbone import of_recipe
from tasks.backbones.files.digest import files_of
from tasks.backbones.files.network import features_model
from tasks.errors import InputError
from tasks.execution.checked_keras import keras
from tasks.execution.onnx_extra import onnx_session
from tasks.export.onnx_backbone import TAP, cut_backbone, pooling_graph
from tasks.export.onnx_head import FEATURES, SCORES, head_graph
from tasks.export.onnx_pixels import PREPARED, pixels_graph
from tasks.inference.predict import Classifier

IMAGES = "images"
_MOST_BYTES = 2**30  # in one file: protocol buffers end at twice as many
_IR_VERSION = 8
_SAME = 1e-3  # of scores of an image alone and beside another


def write_onnx_model(classifier: Classifier, path: Path) -> None:
    """Write a model from images (n, height, width, 3) of 0 to 255 to scores (n, classes).

    Raises InputError if the backbone's file cannot be written as part of it.
    """
    source = Path(classifier.job.weights.path)
    try:
        model = _joined(classifier, source)
        onnx.load_external_data_for_model(model, str(source.parent))
        large = sum(file.stat().st_size for file in files_of(source)) > _MOST_BYTES
        onnx.save(model, path, save_as_external_data=large, location=f"{path.name}.data")
        checker.check_model(path)
        session = onnx_session(path, path.parent)
        found = _scores_of_two(session)
    except InputError:
        raise
    except Exception as error:  # whatever onnx and onnxruntime raise: each has errors of its own
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"--format onnx: {source} cannot be written as part of an ONNX model: {reason}; use "
            "--format openvino"
        ) from error
    if not all(np.abs(alone - beside).max() <= _SAME for alone, beside in found):
        raise InputError(
            f"--format onnx: {source} computes other scores of an image beside another; export "
            "the network again with a dynamic batch, or use --format openvino"
        )


def _joined(classifier: Classifier, source: Path) -> onnx.ModelProto:
    recipe = classifier.recipe
    backbone, given, tensor, element = cut_backbone(source, recipe.tap)
    backbone.ir_version = max(backbone.ir_version, _IR_VERSION)
    features = int(np.prod(_shape(classifier, source, recipe.pooling)))
    inputs = keras.Input((features,))
    scores = keras.Model(inputs, classifier.head.keras_scores(inputs))
    whole = compose.merge_models(
        _part(pixels_graph(recipe, of_recipe(recipe), element), backbone, rename_inputs=False),
        compose.add_prefix(backbone, "backbone/"),
        [(f"pixels/{PREPARED}", f"backbone/{given}")],
    )
    pooling = pooling_graph(recipe, _shape(classifier, source, "none"))
    joint = (f"backbone/{tensor}", f"pooling/{TAP}")
    whole = compose.merge_models(whole, _part(pooling, backbone), [joint])
    head = _part(head_graph(scores), backbone, rename_outputs=False)
    joint = (f"pooling/{FEATURES}", f"head/{FEATURES}")
    whole = compose.merge_models(whole, head, [joint], name="classifier", doc_string="")
    # What is known of shapes may hold for the file's own batch and image size only.
    del whole.graph.value_info[:], whole.opset_import[:]
    whole.opset_import.extend(backbone.opset_import)
    whole.producer_name = "gargalo"
    return whole


def _part(graph: onnx.GraphProto, like: onnx.ModelProto, **renamed: bool) -> onnx.ModelProto:
    """Return a graph as a model, whose names begin with its own."""
    prefixed = compose.add_prefix_graph(graph, f"{graph.name}/", **renamed)
    return helper.make_model(
        prefixed, opset_imports=like.opset_import, ir_version=like.ir_version
    )


def _shape(classifier: Classifier, source: Path, pooling: str) -> list[int]:
    """Return the shape of the tap's features at a pooling, as OpenVINO has it."""
    recipe = classifier.recipe
    outputs, size = [(recipe.tap, pooling)], recipe.image_size
    model = features_model(source, of_recipe(recipe), outputs, image_size=size, rows=-1)
    return [int(side.get_length()) for side in list(model.outputs[0].partial_shape)[1:]]


def _scores_of_two(session: Any) -> list[tuple[Any, Any]]:  # noqa: ANN401  onnxruntime's
    """Return the scores of two images, each computed alone and beside the other."""
    images = np.random.default_rng(0).uniform(0, 255, (2, 40, 50, 3)).astype(np.float32)
    (together,) = session.run([SCORES], {IMAGES: images})
    alone = [session.run([SCORES], {IMAGES: images[n : n + 1]})[0][0] for n in range(2)]
    return list(zip(alone, together, strict=True))
