"""Augmentation of images, random by a seed."""

import hashlib
import threading
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stores.keys import Keys, Views
from tasks.execution.keras_backend import check_backend
from tasks.images.augmentation_names import NO_AUGMENTATION

if TYPE_CHECKING:
    from tasks.execution.checked_keras import keras

_drawing = threading.Lock()  # all threads draw from one generator, whose state is set before

Pixels = NDArray[np.float32]  # (n, height, width, 3), 0 to 255


def augmented(pixels: Pixels, augmentation: str, *, draw: tuple[object, ...]) -> Pixels:
    """Return an augmented batch of images, (n, height, width, 3).

    The same `draw` gives the same result for the same batch. TensorFlow is imported.
    """
    if augmentation == NO_AUGMENTATION:
        return pixels
    for number, layer in enumerate(_layers(augmentation)):
        with _drawing:
            seed = _seed((augmentation, number, *draw))
            transformation = layer.get_random_transformation(pixels, training=True, seed=seed)
        pixels = layer.transform_images(pixels, transformation, training=True)
    return np.asarray(pixels, np.float32)


def views_of(pixels: Pixels, augmentation: str, keys: Keys, views: Views) -> Pixels:
    """Return the numbered view of each image, (n, height, width, 3); view 0 is the image itself.

    A view depends on the image's key, its number and the augmentation, and not on the other images
    of the batch.
    """
    rows = [
        augmented(image[np.newaxis], augmentation, draw=(bytes(key).hex(), int(view)))[0]
        if view
        else image
        for image, key, view in zip(pixels, keys, views, strict=True)
    ]
    return np.stack(rows) if rows else pixels


@cache
def _layers(augmentation: str) -> tuple[Any, ...]:
    """Return Keras's layers for an augmentation."""
    check_backend()
    from tasks.execution.checked_keras import keras

    layers = keras.layers
    colours = {"value_range": (0, 255)}
    makers: dict[str, Callable[[Any], Any]] = {
        "flip": layers.RandomFlip,
        "rotation": layers.RandomRotation,
        "zoom": layers.RandomZoom,
        "translation": lambda share: layers.RandomTranslation(share, share),
        "contrast": lambda share: layers.RandomContrast(share, **colours),
        "brightness": lambda share: layers.RandomBrightness(share, **colours),
        "saturation": lambda share: layers.RandomSaturation(share, **colours),
    }
    parts = (part.partition("=") for part in augmentation.split(", "))
    return tuple(
        makers[name](value if name == "flip" else float(value)) for name, _, value in parts
    )


def _seed(draw: tuple[object, ...]) -> "keras.random.SeedGenerator":
    """Return a generator of seeds with the state that follows from `draw`."""
    generator = _generator()
    digest = hashlib.sha256(repr(draw).encode()).digest()
    generator.state.assign(np.frombuffer(digest[:8], np.uint32).astype(generator.state.dtype))
    return generator


@cache
def _generator() -> "keras.random.SeedGenerator":
    from tasks.execution.checked_keras import keras

    return keras.random.SeedGenerator(0)
