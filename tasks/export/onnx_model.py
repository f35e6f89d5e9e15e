"""One ONNX model from pixels to scores: a backbone from an ONNX file, with what is around it."""

import math
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
IR_VERSION = 8
PREFIX = "gargalo/"  # of the names of what is around a backbone
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
    if _collides(backbone.graph, given):
        backbone = compose.add_prefix(backbone, "backbone/")
        given, tensor = f"backbone/{given}", f"backbone/{tensor}"
    inputs = keras.Input((math.prod(_shape(classifier, source, recipe.pooling)),))
    scores = keras.Model(inputs, classifier.head.keras_scores(inputs))
    pixels = pixels_graph(recipe, of_recipe(recipe), element)
    pooling = pooling_graph(recipe, _shape(classifier, source, "none"))
    parts = [
        prefixed(pixels, keep="inputs"),
        backbone.graph,
        prefixed(pooling),
        prefixed(head_graph(scores), keep="outputs"),
    ]
    joints = [
        (f"{PREFIX}pixels/{PREPARED}", given),
        (tensor, f"{PREFIX}pooling/{TAP}"),
        (f"{PREFIX}pooling/{FEATURES}", f"{PREFIX}head/{FEATURES}"),
    ]
    graph = parts[0]
    for part, joint in zip(parts[1:], joints, strict=True):
        graph = compose.merge_graphs(graph, part, [joint], name="classifier", doc_string="")
    # What is known of shapes may hold for the file's own batch and image size only.
    del graph.value_info[:]
    return helper.make_model(
        graph,
        producer_name="gargalo",
        opset_imports=backbone.opset_import,
        ir_version=max(backbone.ir_version, IR_VERSION),
        functions=backbone.functions,
    )


def prefixed(graph: onnx.GraphProto, *, keep: str = "") -> onnx.GraphProto:
    """Return a graph whose names begin with its own, but for those of inputs or outputs."""
    return compose.add_prefix_graph(
        graph,
        f"{PREFIX}{graph.name}/",
        rename_inputs=keep != "inputs",
        rename_outputs=keep != "outputs",
    )


def _collides(graph: onnx.GraphProto, given: str) -> bool:
    """Return whether a file's graph has names that the exported one has for something else."""
    names = {name for node in graph.node for name in (*node.input, *node.output)} - {given}
    return bool(names & {IMAGES, SCORES}) or any(name.startswith(PREFIX) for name in names)


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
