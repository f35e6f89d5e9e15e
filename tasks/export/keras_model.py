"""One Keras model from images to scores: preprocessing, backbone and head joined."""

from typing import Any

import numpy as np

from stores.features.recipe import Recipe
from tasks.backbones.files.keras_file import backbone_of
from tasks.backbones.registry import Backbone
from tasks.backbones.weights import build_backbone
from tasks.errors import InputError
from tasks.execution.checked_keras import keras
from tasks.features.engines.keras_engine import recipe_output
from tasks.images.centre_crop import uncropped
from tasks.inference.predict import Classifier

# The rounding error of float32, for pixels up to 255.
_SAME = 1e-3


def join(classifier: Classifier) -> Any:  # noqa: ANN401  a Keras model
    """Return a model of built-in layers: images of the recipe's size, of 0 to 255 → scores.

    Scores are (n, classes). Raises InputError if the preprocessing cannot be done by built-in
    layers.
    """
    pixels = keras.Input((*classifier.recipe.image_size, 3), name="pixels")
    flat = keras.layers.Flatten()(_features_of(pixels, classifier))
    return keras.Model(pixels, classifier.head.keras_scores(flat), name="scores")


def with_resizing(model: Any, recipe: Recipe) -> Any:  # noqa: ANN401  Keras models
    """Return what `join` returned for images of any size, resized by built-in layers.

    At some sizes Keras's layer crops or pads otherwise than the recipe; see `graph_pixels`.
    """
    images = keras.Input((None, None, 3), name="images")
    scores = model(_resized(images, recipe), training=False)
    return keras.Model(images, scores, name="classifier")


def _features_of(pixels: Any, classifier: Classifier) -> Any:  # noqa: ANN401  Keras tensors
    """Return the features of pixels (n, height, width, 3), by the whole backbone."""
    recipe, weights = classifier.recipe, classifier.job.weights
    backbone = backbone_of(recipe, weights.path)
    base = build_backbone(backbone, weights, recipe.image_size)
    extractor = keras.Model(base.input, recipe_output(base, recipe), name=recipe.backbone)
    return extractor(preprocessed(pixels, backbone), training=False)


def _resized(images: Any, recipe: Recipe) -> Any:  # noqa: ANN401  Keras tensors
    """Return images resized and cropped as in a recipe, by built-in layers."""
    whole = uncropped(recipe)
    pixels = keras.layers.Resizing(
        *whole.image_size,
        interpolation=recipe.interpolation,
        crop_to_aspect_ratio=recipe.aspect_ratio == "crop",
        pad_to_aspect_ratio=recipe.aspect_ratio == "pad",
    )(images)
    if recipe.interpolation == "bicubic":
        pixels = keras.ops.clip(pixels, 0.0, 255.0)
    if whole.image_size != recipe.image_size:
        pixels = keras.layers.CenterCrop(*recipe.image_size)(pixels)
    return pixels


def preprocessed(pixels: Any, backbone: Backbone) -> Any:  # noqa: ANN401  Keras tensors
    """Return preprocessed pixels (n, height, width, 3) for a backbone, by a built-in layer.

    The preprocessing of every backbone is linear in the channels. The layer's weights are computed
    with the backbone's own function.
    """
    kernel, bias = _linear_map(backbone)
    if np.array_equal(kernel, np.eye(3)) and not bias.any():
        return pixels
    if np.array_equal(kernel, kernel[0, 0] * np.eye(3)) and np.ptp(bias) == 0:
        return keras.layers.Rescaling(float(kernel[0, 0]), float(bias[0]))(pixels)
    layer = keras.layers.Conv2D(backbone.channels, 1, trainable=False, name="preprocessing")
    outputs = layer(pixels)
    layer.set_weights([kernel[np.newaxis, np.newaxis], bias])
    return outputs


def _linear_map(backbone: Backbone) -> tuple[Any, Any]:
    """Return the kernel (3, channels) and bias (channels,) of the preprocessing, as float32.

    Raises InputError if it is not linear.
    """

    def preprocessed_colours(colours: Any) -> Any:  # noqa: ANN401  (n, 3)
        image = np.asarray(colours, np.float32)[:, np.newaxis, np.newaxis]
        return np.asarray(backbone.preprocess(image.copy()), np.float64)[:, 0, 0]

    bias = preprocessed_colours(np.zeros((1, 3)))[0]
    kernel = (preprocessed_colours(255 * np.eye(3)) - bias) / 255
    some = np.random.default_rng(0).uniform(0, 255, (100, 3))
    if np.abs(some @ kernel + bias - preprocessed_colours(some)).max() > _SAME:
        raise InputError(
            f"backbone {backbone.name} cannot be exported: its preprocessing, "
            f"{backbone.preprocessing}, is not linear in the channels; use another backbone"
        )
    return kernel.astype(np.float32), bias.astype(np.float32)
