"""One OpenVINO model from pixels to scores, of parts that are converted one by one.

It is for what is no Keras model as a whole: a backbone that only OpenVINO reads or that is
quantised.
"""

from itertools import pairwise
from pathlib import Path
from typing import Any

from stores.features.recipe import Recipe
from stores.quantized import named_model
from tasks.backbones.files.backbone import of_recipe
from tasks.backbones.files.network import features_model
from tasks.execution.checked_keras import keras, tf
from tasks.execution.quiet_openvino import ov
from tasks.export.cubic import openvino_pixels
from tasks.features.engines.int8_engine import kept_graph
from tasks.features.engines.openvino_engine import converted
from tasks.inference.predict import Classifier


def join_graph(classifier: Classifier) -> Any:  # noqa: ANN401  an ov.Model
    """Return a model from images (n, height, width, 3) of 0 to 255 to scores (n, classes).

    Raises InputError if the backbone's file has a fixed batch, CorruptStore where a quantised one
    is not what was written.
    """
    recipe = classifier.recipe
    backbone = _backbone(classifier)
    shape = [
        int(side.get_length()) for side in list(_result(backbone).get_output_partial_shape(0))[1:]
    ]
    features = keras.Input(shape)
    scores = classifier.head.keras_scores(keras.layers.Flatten()(features))
    parts = [_resizing(recipe), backbone, _converted(keras.Model(features, scores))]
    for before, after in pairwise(parts):
        after.inputs[0].replace(_result(before).input_value(0))
    (parameter,) = parts[0].get_parameters()
    parameter.output(0).set_names({"images"})
    return ov.Model([_result(parts[-1])], [parameter], "classifier")


def _result(model: Any) -> Any:  # noqa: ANN401
    """Return the only result of a model; a converted one may have loose ends beside its own."""
    results = model.get_results()
    own = [one for one in results if "Identity:0" in one.output(0).get_names()]
    return (own or results)[0]


def _resizing(recipe: Recipe) -> Any:  # noqa: ANN401
    graph = tf.function(lambda images: openvino_pixels(images, recipe), autograph=False)
    return converted(graph.get_concrete_function(tf.TensorSpec((None, None, None, 3), tf.float32)))


def _backbone(classifier: Classifier) -> Any:  # noqa: ANN401
    recipe = classifier.recipe
    if recipe.compute_precision == "int8":
        quantised = kept_graph(named_model(classifier.job.store, recipe))
        quantised.reshape([-1, *recipe.image_size, 3])
        return quantised
    path, outputs = Path(classifier.job.weights.path), [(recipe.tap, recipe.pooling)]
    size = recipe.image_size
    return features_model(path, of_recipe(recipe), outputs, image_size=size, rows=-1)


def _converted(model: Any) -> Any:  # noqa: ANN401  from a Keras model to an ov.Model
    graph = tf.function(lambda values: model(values, training=False), autograph=False)
    return converted(graph.get_concrete_function(tf.TensorSpec(model.input_shape, tf.float32)))
