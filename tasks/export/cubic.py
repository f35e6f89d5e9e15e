"""Cubic resizing as TensorFlow's, for OpenVINO, which has none that treats borders alike."""

from stores.features.recipe import Recipe
from tasks.execution.checked_keras import tf
from tasks.export.graph_pixels import graph_pixels


def openvino_pixels(images: tf.Tensor, recipe: Recipe) -> tf.Tensor:
    """Return `graph_pixels` for a graph that is converted to OpenVINO.

    Its own cubic resizing differs at borders: outside of an image there is nothing for TensorFlow,
    and for OpenVINO its last pixel.
    """
    return graph_pixels(images, recipe, cubic if recipe.interpolation == "bicubic" else None)


def cubic(images: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Return images (n, height, width, 3) as tf.image.resize(method="bicubic"), 0 to 255."""
    rows, columns = (_weights(size[k], tf.shape(images)[k + 1]) for k in range(2))
    planes = tf.transpose(images, [0, 3, 1, 2])
    resized = tf.matmul(tf.matmul(rows, planes), columns, transpose_b=True)
    return tf.clip_by_value(tf.transpose(resized, [0, 2, 3, 1]), 0.0, 255.0)


def _weights(count: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    """Return what each of `length` pixels counts for each of `count` new ones.

    The curve is R. Keys's (Cubic Convolution Interpolation for Digital Image Processing, 1981) at
    a = -1/2; weights of pixels that are not there are left out.
    """
    out = tf.cast(count, tf.float32)
    scale = tf.cast(length, tf.float32) / out
    centres = (tf.range(out) + 0.5) * scale - 0.5
    d = tf.abs(centres[:, tf.newaxis] - tf.range(tf.cast(length, tf.float32))[tf.newaxis])
    near, far = (1.5 * d - 2.5) * d * d + 1, ((-0.5 * d + 2.5) * d - 4) * d + 2
    weights = tf.where(d <= 1, near, tf.where(d < 2, far, tf.zeros_like(d)))
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True)
