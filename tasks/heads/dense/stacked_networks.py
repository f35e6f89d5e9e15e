"""Dense networks of one shape, computed at once: the first axis of arrays is the network.

Each network is computed by the same calls on the same shapes as if it were alone, so that its
result does not depend on the others.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tasks.heads.dense.activations import ACTIVATIONS

Values = NDArray[np.float32]
Weights = dict[str, Values]  # one network's arrays, by name
Back = Callable[[Values], Values]  # from the gradient of a layer's output to that of its input

# Keras's BatchNormalization.
_EPSILON, _MOMENTUM = np.float32(1e-3), np.float32(0.99)


@dataclass(frozen=True)
class Architecture:
    """The shape of networks that are computed at once."""

    inputs: int
    hidden_units: tuple[int, ...]
    outputs: int
    activation: str
    batch_norm: bool

    def parameters(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each trained array, by its name."""
        shapes: dict[str, tuple[int, ...]] = {}
        widths = [self.inputs, *self.hidden_units, self.outputs]
        for n, (fan_in, units) in enumerate(pairwise(widths)):
            shapes[f"kernel_{n}"] = fan_in, units
            # Batch normalization removes the effect of a bias before it.
            normalised = self.batch_norm and n < len(self.hidden_units)
            for name in ("gamma", "beta") if normalised else ("bias",):
                shapes[f"{name}_{n}"] = 1, units
        return shapes

    def statistics(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each moving average, by its name."""
        layers = enumerate(self.hidden_units if self.batch_norm else ())
        names = ("moving_mean", "moving_variance")
        return {f"{name}_{n}": (1, units) for n, units in layers for name in names}


class Networks:
    """Networks with the same initial weights, trained independently."""

    def __init__(self, architecture: Architecture, count: int, first: Weights) -> None:
        self.architecture = architecture
        self.trained = _Block(architecture.parameters(), count, first)
        self.gradients = _Block(architecture.parameters(), count, None)
        self.followed = _Block(architecture.statistics(), count, first)

    def select(self, rows: NDArray[np.bool_]) -> None:
        """Keep only some of the networks."""
        for block in (self.trained, self.gradients, self.followed):
            block.select(rows)

    def weights(self, number: int) -> Weights:
        """Return a copy of one network's arrays, by name."""
        arrays = self.trained.arrays | self.followed.arrays
        return {name: array[number].copy() for name, array in arrays.items()}

    def logits(self, inputs: Values) -> Values:
        """Return the logits (networks, n, outputs) of inputs (n, inputs), without dropout."""
        return self._forward(inputs, None, 0.0, [])

    def train_logits(
        self, inputs: Values, *, dropout: float, generator: np.random.Generator
    ) -> tuple[Values, list[Back]]:
        """Return the logits in training, with dropout, and the tape for `backward`."""
        tape: list[Back] = []
        return self._forward(inputs, generator, dropout, tape), tape

    def backward(self, gradient: Values, tape: list[Back]) -> None:
        """Fill `gradients` from the gradient of the logits, (networks, n, outputs)."""
        for back in reversed(tape):
            gradient = back(gradient)

    def _forward(
        self,
        inputs: Values,
        generator: np.random.Generator | None,
        dropout: float,
        tape: list[Back],
    ) -> Values:
        hidden = range(len(self.architecture.hidden_units))
        values = inputs[np.newaxis]
        for n in hidden:
            values = self._dense(n, values, tape)
            if self.architecture.batch_norm:
                values = self._batch_norm(n, values, tape, training=generator is not None)
            values = self._activate(values, tape)
            values = _drop(values, generator, dropout, tape)
        if not hidden:
            values = _drop(values, generator, dropout, [])
        return self._dense(len(hidden), values, tape)

    def _dense(self, n: int, values: Values, tape: list[Back]) -> Values:
        kernel, bias = self.trained.arrays[f"kernel_{n}"], self.trained.arrays.get(f"bias_{n}")

        def back(gradient: Values) -> Values:
            np.matmul(values.swapaxes(1, 2), gradient, out=self.gradients.arrays[f"kernel_{n}"])
            if bias is not None:
                gradient.sum(axis=1, keepdims=True, out=self.gradients.arrays[f"bias_{n}"])
            return gradient @ kernel.swapaxes(1, 2) if n else gradient

        tape.append(back)
        return values @ kernel if bias is None else values @ kernel + bias

    def _batch_norm(self, n: int, values: Values, tape: list[Back], *, training: bool) -> Values:
        gamma, beta = self.trained.arrays[f"gamma_{n}"], self.trained.arrays[f"beta_{n}"]
        mean = self.followed.arrays[f"moving_mean_{n}"]
        variance = self.followed.arrays[f"moving_variance_{n}"]
        if training:
            moving = mean, variance
            mean, variance = values.mean(axis=1, keepdims=True), values.var(axis=1, keepdims=True)
            for kept, new in zip(moving, (mean, variance), strict=True):
                np.add(kept, (new - kept) * (1 - _MOMENTUM), out=kept)
        scale = 1 / np.sqrt(variance + _EPSILON)
        normal = (values - mean) * scale

        def back(gradient: Values) -> Values:
            self.gradients.arrays[f"gamma_{n}"][:] = (gradient * normal).sum(axis=1, keepdims=True)
            self.gradients.arrays[f"beta_{n}"][:] = gradient.sum(axis=1, keepdims=True)
            inner = gradient * gamma
            along = normal * (inner * normal).mean(axis=1, keepdims=True)
            return np.asarray(scale * (inner - inner.mean(axis=1, keepdims=True) - along))

        tape.append(back)
        return np.asarray(gamma * normal + beta)

    def _activate(self, values: Values, tape: list[Back]) -> Values:
        apply, slope = ACTIVATIONS[self.architecture.activation]
        result = apply(values)
        tape.append(lambda gradient: gradient * slope(values, result))
        return result


class _Block:
    """Arrays of several networks in one array (networks, values), so that a step is one sum."""

    def __init__(
        self, shapes: dict[str, tuple[int, ...]], count: int, first: Weights | None
    ) -> None:
        self._shapes = shapes
        self.flat = np.zeros((count, sum(map(np.prod, shapes.values()))), np.float32)
        self.arrays = dict(self._views())
        for name, array in self.arrays.items():
            array[:] = 0 if first is None else first[name]

    def select(self, rows: NDArray[np.bool_]) -> None:
        self.flat = self.flat[rows]
        self.arrays = dict(self._views())

    def _views(self) -> Iterator[tuple[str, Values]]:
        end = 0
        for name, shape in self._shapes.items():
            begin, end = end, end + int(np.prod(shape))
            yield name, self.flat[:, begin:end].reshape(-1, *shape)


def first_weights(architecture: Architecture, generator: np.random.Generator) -> Weights:
    """Draw kernels as Keras's glorot_uniform (Glorot and Bengio, 2010); other arrays are 0 or 1."""
    weights: Weights = {}
    for name, shape in (architecture.parameters() | architecture.statistics()).items():
        if name.startswith("kernel"):
            limit = np.sqrt(6 / sum(shape))
            weights[name] = generator.uniform(-limit, limit, shape).astype(np.float32)
        else:
            is_one = name.startswith(("gamma", "moving_variance"))
            weights[name] = np.full(shape, float(is_one), np.float32)
    return weights


def _drop(
    values: Values, generator: np.random.Generator | None, dropout: float, tape: list[Back]
) -> Values:
    """Apply dropout with the same mask for all networks, scaled as in Keras's Dropout."""
    if not dropout or generator is None:
        return values
    keep = round((1 - dropout) * 2**16)
    shape = values.shape[1:]
    drawn = np.frombuffer(generator.bytes(2 * shape[0] * shape[1]), np.uint16).reshape(shape)
    mask = (drawn < keep) * np.float32(2**16 / keep)
    tape.append(lambda gradient: gradient * mask)
    return np.asarray(values * mask)
