"""Keras's optimizers for many heads at once, with a learning rate and a state for each head."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]  # (heads, parameters)


class Sgd:
    """Gradient descent without momentum, as keras.optimizers.SGD."""

    def __init__(self, _like: Values) -> None:
        self.state: tuple[Values, ...] = ()  # arrays (heads, parameters)

    def step(self, parameters: Values, gradients: Values, rates: Values) -> None:
        """Update the parameters in place; `rates` are the heads' learning rates, (heads, 1)."""
        parameters -= rates * gradients


class RmsProp:
    """keras.optimizers.RMSprop: rho 0.9, epsilon 1e-7, no momentum, not centred."""

    def __init__(self, like: Values) -> None:
        self.state: tuple[Values, ...] = (np.zeros_like(like),)

    def step(self, parameters: Values, gradients: Values, rates: Values) -> None:
        """Take one step."""
        (squares,) = self.state
        squares *= np.float32(0.9)
        squares += np.float32(0.1) * np.square(gradients)
        parameters -= rates * gradients / np.sqrt(squares + np.float32(1e-7))


class Adam:
    """keras.optimizers.Adam (Kingma and Ba, 2015): beta 0.9 and 0.999, epsilon 1e-7."""

    def __init__(self, like: Values) -> None:
        self.state: tuple[Values, ...] = (np.zeros_like(like), np.zeros_like(like))
        self._steps = 0

    def step(self, parameters: Values, gradients: Values, rates: Values) -> None:
        """Take one step."""
        means, squares = self.state
        self._steps += 1
        correction = np.float32(np.sqrt(1 - 0.999**self._steps) / (1 - 0.9**self._steps))
        # All in one array, because the time is that of reading and writing memory.
        change = gradients - means
        change *= np.float32(0.1)
        means += change
        np.square(gradients, out=change)
        change -= squares
        change *= np.float32(0.001)
        squares += change
        np.sqrt(squares, out=change)
        change += np.float32(1e-7)
        np.divide(means, change, out=change)
        change *= rates * correction
        parameters -= change


OPTIMIZERS: dict[str, Callable[[Values], Adam | RmsProp | Sgd]] = {
    "adam": Adam,
    "rmsprop": RmsProp,
    "sgd": Sgd,
}
