"""A run at int8 as one OpenVINO model: resizing, the backbone as it was kept, and the head."""

from pathlib import Path
from typing import Any

from stores.quantized import named_model
from tasks.execution.checked_keras import keras, tf
from tasks.execution.quiet_openvino import ov
from tasks.export.keras_model import resized
from tasks.features.engines.int8_engine import kept_graph
from tasks.features.engines.openvino_engine import converted
from tasks.inference.predict import Classifier


def write_int8(classifier: Classifier, path: Path) -> None:
    """Write the OpenVINO model: images (n, height, width, 3) of 0 to 255 → scores (n, classes).

    Images of any size are resized as in the recipe. Raises CorruptStore where the kept model is not
    what was written.
    """
    recipe = classifier.recipe
    backbone = kept_graph(named_model(classifier.job.store, recipe))
    backbone.reshape([-1, *recipe.image_size, 3])
    (features,) = backbone.outputs
    shape = [int(side.get_length()) for side in list(features.partial_shape)[1:]]
    images = keras.Input((None, None, 3), name="images")
    front = _converted(keras.Model(images, resized(images, recipe)), "images")
    given = keras.Input(shape, name="features")
    flat = keras.layers.Flatten()(given)
    head = _converted(keras.Model(given, classifier.head.keras_scores(flat)), "features")
    _connect(_output(front), backbone)
    (rows,) = backbone.get_results()
    _connect(rows, head)
    whole = ov.Model([_output(head)], front.get_parameters(), "classifier")
    ov.save_model(whole, path, compress_to_fp16=False)


def _converted(model: Any, name: str) -> ov.Model:  # noqa: ANN401  a Keras model
    graph = tf.function(lambda some: model(some, training=False), autograph=False)
    (given,) = model.inputs
    signature = tf.TensorSpec(given.shape, tf.float32, name)
    return converted(graph.get_concrete_function(signature))


def _output(model: ov.Model) -> Any:  # noqa: ANN401  an OpenVINO result
    """Return the result of a converted function; loose ends of its graph are results as well."""
    return next(r for r in model.get_results() if "Identity:0" in r.output(0).get_names())


def _connect(result: Any, model: ov.Model) -> None:  # noqa: ANN401
    """Have a model take what another one gives."""
    (parameter,) = model.get_parameters()
    for taken in parameter.output(0).get_target_inputs():
        taken.replace_source_output(result.input_value(0))
