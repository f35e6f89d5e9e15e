"""The losses of dense heads, their gradients and figures, for many heads on one batch."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_softmax, softmax

from stores.target_values import Targets
from tasks.heads.dense.specification import DenseHead
from tasks.heads.dense.stacked_networks import Weights

Values = NDArray[np.float32]


class Measured(NamedTuple):
    """The measurements of each head on a batch."""

    losses: NDArray[np.float64]  # (heads,): sum over the rows
    figures: NDArray[np.float64]  # (heads,): sum of the figure over the rows
    gradient: Values  # (heads, n, outputs): of the mean loss, with respect to the logits


class Objective:
    """A loss, and a figure that is shown beside it."""

    figure = "accuracy"
    loss_unit = 1.0  # what a loss of 1 in training is in the history

    def select(self, rows: NDArray[np.bool_]) -> None:
        """Keep only some of the heads."""

    def measure(self, logits: Values, truths: Targets, *, weighted: bool = True) -> Measured:
        """Compare logits (heads, n, outputs) with the truths of n examples.

        Class weights are used in training only, as in Keras's `fit`.
        """
        raise NotImplementedError

    def unscaled(self, weights: Weights) -> Weights:
        """Return a trained network's weights, whose outputs are in the units of the truths."""
        return weights


class _Softmax(Objective):
    """keras.losses.CategoricalCrossentropy, with each head's label smoothing and class weights."""

    def __init__(self, heads: Sequence[DenseHead], truths: Targets, classes: int) -> None:
        self._classes = classes
        self._smoothing = _smoothing(heads)
        counts = np.bincount(truths, minlength=classes)
        balanced = counts.sum() / (classes * np.maximum(counts, 1))
        self._weights = _weights(heads, balanced)  # (heads, classes)

    def select(self, rows: NDArray[np.bool_]) -> None:
        self._smoothing, self._weights = self._smoothing[rows], self._weights[rows]

    def measure(self, logits: Values, truths: Targets, *, weighted: bool = True) -> Measured:
        weights = self._weights[:, truths, np.newaxis] if weighted else np.float32(1)
        one_hot = np.eye(self._classes, dtype=np.float32)[truths]
        targets = one_hot * (1 - self._smoothing) + self._smoothing / self._classes
        losses = -targets * log_softmax(logits, axis=2)
        right = logits.argmax(axis=2) == truths
        off = softmax(logits, axis=2) - targets
        return Measured(
            (losses * weights).sum(axis=(1, 2), dtype=np.float64),
            right.sum(axis=1, dtype=np.float64),
            (off * weights / len(truths)).astype(np.float32, copy=False),
        )


class _Binary(Objective):
    """keras.losses.BinaryCrossentropy, the mean over the outputs: one for two classes, or a label.

    Balanced weights are those of each label's images with and without it.
    """

    def __init__(self, heads: Sequence[DenseHead], truths: Targets, outputs: int) -> None:
        self.figure = "binary_accuracy" if heads[0].output == "sigmoids" else "accuracy"
        self._smoothing, self._outputs = _smoothing(heads), np.arange(outputs)
        positive = truths.reshape(len(truths), outputs).sum(axis=0)
        counts = np.stack([len(truths) - positive, positive])
        balanced = len(truths) / (2 * np.maximum(counts, 1))
        self._weights = _weights(heads, balanced)  # (heads, 2, outputs)

    def select(self, rows: NDArray[np.bool_]) -> None:
        self._smoothing, self._weights = self._smoothing[rows], self._weights[rows]

    def measure(self, logits: Values, truths: Targets, *, weighted: bool = True) -> Measured:
        rows, count = truths.reshape(len(truths), -1), len(self._outputs)
        weights = self._weights[:, rows, self._outputs] if weighted else np.float32(1)
        targets = rows * (1 - self._smoothing) + self._smoothing / 2
        losses = np.logaddexp(0, logits) - targets * logits
        right = (logits > 0) == rows
        off = expit(logits) - targets
        return Measured(
            (losses * weights).sum(axis=(1, 2), dtype=np.float64) / count,
            right.sum(axis=(1, 2), dtype=np.float64) / count,
            (off * weights / (len(rows) * count)).astype(np.float32, copy=False),
        )


class _Squared(Objective):
    """keras.losses.MeanSquaredError of numbers that are standardized for the training."""

    figure = "mean_absolute_error"

    def __init__(self, heads: Sequence[DenseHead], truths: Targets) -> None:
        self._mean, self._deviation = float(truths.mean()), float(truths.std()) or 1.0
        self.loss_unit = self._deviation**2
        self._last = len(heads[0].hidden_units)

    def measure(self, logits: Values, truths: Targets, *, weighted: bool = True) -> Measured:  # noqa: ARG002  there are no classes to weight
        scaled = ((truths - self._mean) / self._deviation).astype(np.float32)
        off = logits - scaled[:, np.newaxis]
        return Measured(
            np.square(off).sum(axis=(1, 2), dtype=np.float64) * self.loss_unit,
            np.abs(off).sum(axis=(1, 2), dtype=np.float64) * self._deviation,
            off * np.float32(2 / len(truths)),
        )

    def unscaled(self, weights: Weights) -> Weights:
        kernel, bias = f"kernel_{self._last}", f"bias_{self._last}"
        shifted = weights[bias].astype(np.float64) * self._deviation + self._mean
        return weights | {
            kernel: (weights[kernel] * self._deviation).astype(np.float32),
            bias: shifted.astype(np.float32),
        }


def objective_of(heads: Sequence[DenseHead], truths: Targets, outputs: int) -> Objective:
    """Return the objective of heads with the same output, for the truths that they learn from."""
    if heads[0].output == "number":
        return _Squared(heads, truths)
    return (_Softmax if heads[0].output == "softmax" else _Binary)(heads, truths, outputs)


def _smoothing(heads: Sequence[DenseHead]) -> Values:
    smoothing = [head.label_smoothing for head in heads]
    return np.array(smoothing, np.float32)[:, np.newaxis, np.newaxis]


def _weights(heads: Sequence[DenseHead], balanced: NDArray[np.float64]) -> Values:
    ones = np.ones_like(balanced)
    of_heads = [balanced if head.class_weights == "balanced" else ones for head in heads]
    return np.array(of_heads, np.float32)
