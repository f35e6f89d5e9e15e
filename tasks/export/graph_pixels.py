"""Resizing as a TensorFlow graph, to the pixels of the features whatever optimizes the graph.

TensorFlow, outside of a dataset's map, and OpenVINO replace a division by a constant with a
multiplication by its reciprocal. Keras's own resizing then crops or pads a row less at some sizes.
"""

from collections.abc import Callable

from stores.features.recipe import Recipe
from tasks.execution.checked_keras import tf
from tasks.images.centre_crop import centres, uncropped

Resize = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]  # of images (n, …), to (height, width)


def graph_pixels(images: tf.Tensor, recipe: Recipe, resize: Resize | None = None) -> tf.Tensor:
    """Return images (n, height, width, 3) of 0 to 255 resized and cropped as in a recipe.

    `resize` is for a program that has none of TensorFlow's for the recipe's interpolation.
    """
    whole = uncropped(recipe).image_size
    way = resize or _by_tensorflow(recipe.interpolation)
    if recipe.aspect_ratio == "pad":
        pixels = _padded(images, whole, way)
    elif recipe.aspect_ratio == "crop":
        pixels = way(_cropped(images, whole), tf.constant(whole))
    else:
        pixels = way(images, tf.constant(whole))
    return centres(tf.reshape(pixels, [-1, *whole, 3]), recipe.image_size)


def _by_tensorflow(interpolation: str) -> Resize:
    def resize(images: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        resized = tf.image.resize(images, size, method=interpolation)
        return tf.clip_by_value(resized, 0.0, 255.0) if interpolation == "bicubic" else resized

    return resize


def _cropped(images: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Return the largest part with the ratio of the size, as smart_resize of Keras takes it.

    Keras divides in float32 and rounds down. Division of integers is the same while a side times
    one of the size is at most 2²⁴, which float32 holds: sides to 16384 pixels at sizes to 1024.
    """
    height, width = size
    sides = tf.shape(images)[1:3]
    fitting = tf.stack([sides[1] * height // width, sides[0] * width // height])
    crop = tf.maximum(tf.minimum(sides, fitting), 1)
    top, left = tf.unstack((sides - crop) // 2)
    return images[:, top : top + crop[0], left : left + crop[1]]


def _padded(images: tf.Tensor, size: tuple[int, int], resize: Resize) -> tf.Tensor:
    """Return images resized into the size with black around them, as tf.image.resize_with_pad.

    That divides in float32 and rounds down, and so may leave a row more than fractions would.
    """
    sides = tf.shape(images)[1:3]
    target = tf.maximum(tf.constant(size), -sides)  # the size, which no optimizer can know
    float_sides, float_target = tf.cast(sides, tf.float32), tf.cast(target, tf.float32)
    fitting = float_sides / tf.reduce_max(float_sides / float_target)
    inner = tf.cast(fitting, tf.int32)
    before = tf.maximum(tf.cast((float_target - fitting) / 2.0, tf.int32), 0)
    around = tf.stack([before, target - inner - before], axis=1)
    return tf.pad(resize(images, inner), tf.pad(around, [[1, 1], [0, 0]]))
