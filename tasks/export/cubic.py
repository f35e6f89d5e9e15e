"""Cubic resizing as TensorFlow's, for OpenVINO, which has none that treats borders alike."""

from typing import Any

from tasks.execution.checked_keras import tf
from tasks.features.engines.openvino_engine import converted


def made_cubic(model: Any, image_size: tuple[int, int]) -> Any:  # noqa: ANN401  an ov.Model
    """Return an OpenVINO model whose only linear resizing is cubic instead, and clipped to bytes.

    The two differ at borders: outside of an image there is nothing for TensorFlow, and for OpenVINO
    its last pixel.
    """
    (linear,) = (one for one in model.get_ops() if one.get_type_name() == "Interpolate")
    resize = tf.function(lambda images: cubic(images, image_size), autograph=False)
    spec = tf.TensorSpec((None, None, None, 3), tf.float32)
    other = converted(resize.get_concrete_function(spec))
    other.inputs[0].replace(linear.input_value(0))
    linear.output(0).replace(other.outputs[0].get_node().input_value(0))
    return model


def cubic(images: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Return images (n, height, width, 3) as tf.image.resize(method="bicubic"), 0 to 255."""
    rows, columns = (_weights(out, tf.shape(images)[k]) for k, out in enumerate(size, start=1))
    planes = tf.transpose(images, [0, 3, 1, 2])
    resized = tf.matmul(tf.matmul(rows, planes), columns, transpose_b=True)
    return tf.clip_by_value(tf.transpose(resized, [0, 2, 3, 1]), 0.0, 255.0)


def _weights(out: int, length: tf.Tensor) -> tf.Tensor:
    """Return what each of `length` pixels counts for each new one, (out, length).

    The curve is R. Keys's (Cubic Convolution Interpolation for Digital Image Processing, 1981) at
    a = -1/2; weights of pixels that are not there are left out.
    """
    scale = tf.cast(length, tf.float32) / out
    centres = (tf.range(out, dtype=tf.float32) + 0.5) * scale - 0.5
    d = tf.abs(centres[:, tf.newaxis] - tf.range(tf.cast(length, tf.float32))[tf.newaxis])
    near, far = (1.5 * d - 2.5) * d * d + 1, ((-0.5 * d + 2.5) * d - 4) * d + 2
    weights = tf.where(d <= 1, near, tf.where(d < 2, far, tf.zeros_like(d)))
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True)
