"""Activations of hidden layers and their derivatives, by their names in keras.activations."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr

Values = NDArray[Any]  # of float32; a slope may be of booleans

# Klambauer et al., Self-normalizing neural networks, 2017; the digits are Keras's.
_SELU_SCALE, _SELU_ALPHA = np.float32(1.05070098), np.float32(1.67326324)
_LEAK = np.float32(0.2)  # keras.activations.leaky_relu's default
_ROOT_OF_2_PI = np.float32(np.sqrt(2 * np.pi))


class Activation(NamedTuple):
    """An element-wise function of z, and its derivative, given z and the result."""

    apply: Callable[[Values], Values]
    slope: Callable[[Values, Values], Values]


def _elu(z: Values) -> Values:
    return np.where(z > 0, z, np.expm1(np.minimum(z, 0)))


def _softplus(z: Values) -> Values:
    return np.logaddexp(z, np.float32(0))


def _mish_slope(z: Values, _result: Values) -> Values:
    squashed = np.tanh(_softplus(z))
    return np.asarray(squashed + z * expit(z) * (1 - squashed**2))


ACTIVATIONS = {
    "relu": Activation(lambda z: np.maximum(z, 0), lambda z, _: z > 0),
    "leaky_relu": Activation(
        lambda z: np.where(z > 0, z, _LEAK * z), lambda z, _: np.where(z > 0, 1, _LEAK)
    ),
    "relu6": Activation(lambda z: np.clip(z, 0, 6), lambda z, _: (z > 0) & (z < 6)),
    "elu": Activation(_elu, lambda z, a: np.where(z > 0, 1, a + 1)),
    "selu": Activation(
        lambda z: _SELU_SCALE * np.where(z > 0, z, _SELU_ALPHA * np.expm1(np.minimum(z, 0))),
        lambda z, a: np.where(z > 0, _SELU_SCALE, a + _SELU_SCALE * _SELU_ALPHA),
    ),
    "gelu": Activation(
        lambda z: z * ndtr(z), lambda z, _: ndtr(z) + z * np.exp(-z * z / 2) / _ROOT_OF_2_PI
    ),
    "silu": Activation(lambda z: z * expit(z), lambda z, a: expit(z) * (1 + z - a)),
    "mish": Activation(lambda z: z * np.tanh(_softplus(z)), _mish_slope),
    "softplus": Activation(_softplus, lambda z, _: expit(z)),
    "tanh": Activation(np.tanh, lambda _, a: 1 - a * a),
    "sigmoid": Activation(expit, lambda _, a: a * (1 - a)),
}
