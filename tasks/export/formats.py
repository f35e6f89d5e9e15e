"""The formats of exported models: how each is written, and read back for predictions."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from tasks.backbones.keras_archive import check_keras
from tasks.errors import InputError
from tasks.evaluation.calibrated_targets import CalibratedLabels
from tasks.execution.checked_keras import keras, tf
from tasks.execution.keras_backend import check_backend, use_float32
from tasks.execution.onnx_extra import check_onnx, onnx_session
from tasks.execution.quiet_openvino import CORE, ov
from tasks.export.cubic import openvino_pixels
from tasks.export.format_names import PLACES, ExportFormat, Scorer, Scores
from tasks.export.graph_model import join_graph
from tasks.export.graph_pixels import graph_pixels
from tasks.export.keras_model import with_resizing
from tasks.features.engines.openvino_engine import converted
from tasks.images.centre_crop import uncropped
from tasks.images.decoding import image_decoder
from tasks.inference.predict import Classifier

# By default OpenVINO computes in bfloat16 if the CPU supports it; a file cannot set this.
_FLOAT32 = {"INFERENCE_PRECISION_HINT": "f32"}
# The outputs of a SavedModel beside its scores: the class of each image, or which labels it has.
_LABEL, _HAS = "label", "has"
# The errors of Keras for a damaged file, or one that its safe mode does not load.
_REFUSED = (ValueError, TypeError, KeyError, AttributeError, OSError, BadZipFile)


def write_saved_model(model: Any, classifier: Classifier, path: Path) -> None:  # noqa: ANN401
    """Write a SavedModel with two signatures: for the bytes of files, and for decoded images."""
    recipe = classifier.recipe
    decode = image_decoder(uncropped(recipe).image_size, recipe.decode)

    def load(content: tf.Tensor) -> tf.Tensor:
        return graph_pixels(decode(content)[tf.newaxis], recipe)[0]

    def answer(scores: tf.Tensor) -> dict[str, tf.Tensor]:
        found = {classifier.scores: scores}
        if isinstance(classifier.calibrated, CalibratedLabels):
            return found | {_HAS: scores >= classifier.calibrated.lowest.astype(np.float32)}
        if classifier.target == "number":
            return found
        names = tf.constant(classifier.classes)
        return found | {_LABEL: tf.gather(names, tf.argmax(scores, axis=1))}

    def from_bytes(contents: tf.Tensor) -> dict[str, tf.Tensor]:
        spec = tf.TensorSpec((*recipe.image_size, 3), tf.float32)
        images = tf.map_fn(load, contents, fn_output_signature=spec)
        return answer(model(images, training=False))

    def from_images(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return answer(model(graph_pixels(images, recipe), training=False))

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serving_default", from_bytes, [tf.TensorSpec([None], tf.string, "bytes")])
    images = tf.TensorSpec([None, None, None, 3], tf.float32, "images")
    archive.add_endpoint("from_images", from_images, [images])
    archive.write_out(path, verbose=False)


def write_keras(model: Any, classifier: Classifier, path: Path) -> None:  # noqa: ANN401
    """Write a `.keras` file that Keras loads in its safe mode, without gargalo."""
    with_resizing(model, classifier.recipe).save(path)


def write_openvino(model: Any, classifier: Classifier, path: Path) -> None:  # noqa: ANN401
    """Write an OpenVINO model, for decoded images; `model` is None where Keras has none."""
    if model is None:
        ov.save_model(join_graph(classifier), path, compress_to_fp16=False)
        return

    def scores(images: tf.Tensor) -> tf.Tensor:
        return model(openvino_pixels(images, classifier.recipe), training=False)

    signature = tf.TensorSpec([None, None, None, 3], tf.float32, "images")
    graph = tf.function(scores, autograph=False).get_concrete_function(signature)
    ov.save_model(converted(graph), path, compress_to_fp16=False)


def write_onnx(model: Any, classifier: Classifier, path: Path) -> None:  # noqa: ANN401
    """Write an ONNX model, for decoded images; `model` is None where the backbone is one, too."""
    if model is None:
        from tasks.export.onnx_model import write_onnx_model

        write_onnx_model(classifier, path)
        return
    from tasks.export.onnx_keras import write_keras_as_onnx

    write_keras_as_onnx(model, classifier.recipe, path)


def read_saved_model(path: Path) -> Scorer:
    """Return the scorer of a SavedModel."""
    try:
        signature = tf.saved_model.load(path).signatures["serving_default"]
    except _REFUSED as error:
        raise _damaged(path, error) from error
    # Beside what is predicted there is one output, the scores.
    (scores,) = signature.structured_outputs.keys() - {_LABEL, _HAS}
    return lambda contents: np.asarray(
        signature(bytes=tf.constant(list(contents)))[scores], np.float64
    )


def read_keras(path: Path) -> Scorer:
    """Return the scorer of a `.keras` file, loaded in Keras's safe mode, which runs no code."""
    try:
        check_keras(path)
        model = keras.saving.load_model(path, safe_mode=True, compile=False)
    except _REFUSED as error:
        raise _damaged(path, error) from error
    forward = tf.function(
        lambda image: model(image, training=False),
        input_signature=[tf.TensorSpec([1, None, None, 3], tf.float32)],
        autograph=False,
    )
    return lambda contents: _each(contents, forward)


def read_openvino(path: Path) -> Scorer:
    """Return the scorer of an OpenVINO model."""
    try:
        compiled = CORE.compile_model(path, "CPU", _FLOAT32)
    except RuntimeError as error:
        raise _damaged(path, error) from error
    return lambda contents: _each(contents, lambda image: compiled(image)[0])


def read_onnx(path: Path) -> Scorer:
    """Return the scorer of an ONNX model."""
    check_onnx(f"{path.name}, an exported model in ONNX,")
    try:
        session = onnx_session(path, path.parent)
        (images,), (scores,) = session.get_inputs(), session.get_outputs()
    except Exception as error:  # onnxruntime's are of classes of their own
        raise _damaged(path, error) from error
    return lambda contents: _each(
        contents, lambda image: session.run([scores.name], {images.name: image})[0]
    )


_WRITERS: dict[ExportFormat, Callable[[Any, Classifier, Path], None]] = {
    "saved-model": write_saved_model,
    "keras": write_keras,
    "openvino": write_openvino,
    "onnx": write_onnx,
}
_READERS: dict[ExportFormat, Callable[[Path], Scorer]] = {
    "saved-model": read_saved_model,
    "keras": read_keras,
    "openvino": read_openvino,
    "onnx": read_onnx,
}


def write_model(name: ExportFormat, model: Any, classifier: Classifier, folder: Path) -> None:  # noqa: ANN401
    """Write what `join` returned in a format, at its path in a folder; None: there is no model."""
    check_backend()
    _WRITERS[name](model, classifier, folder / PLACES[name])


def read_model(name: ExportFormat, folder: Path) -> Scorer:
    """Return the scorer of a model in a folder; raises InputError for a damaged one."""
    check_backend()
    use_float32()
    return _READERS[name](folder / PLACES[name])


def _each(contents: Sequence[bytes], score: Callable[[Any], Any]) -> Scores:
    """Return the scores of images of any size, computed one at a time."""
    images = [
        tf.image.decode_image(content, channels=3, expand_animations=False) for content in contents
    ]
    rows = [score(np.asarray(image, np.float32)[np.newaxis]) for image in images]
    return np.concatenate([np.asarray(row, np.float64) for row in rows])


def _damaged(path: Path, error: Exception) -> InputError:
    reason = " ".join(str(error).split())[:200]
    return InputError(f"{path}: not an exported model, or damaged: {reason}; export it again")
