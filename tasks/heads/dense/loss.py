"""The loss of dense heads, its gradient, and the accuracy, for many heads on one batch."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_softmax, softmax

from tasks.heads.dense.specification import DenseHead

Values = NDArray[np.float32]


class Measured(NamedTuple):
    """The measurements of each head on a batch."""

    losses: NDArray[np.float64]  # (heads,): sum over the rows
    correct: NDArray[np.int64]  # (heads,): number of correct rows
    gradient: Values  # (heads, n, outputs): of the mean loss, with respect to the logits


class Objective:
    """Keras's cross-entropy, with the label smoothing and the class weights of each head."""

    def __init__(self, heads: Sequence[DenseHead], images_a_class: NDArray[np.int64]) -> None:
        self.classes = len(images_a_class)
        self.binary = heads[0].output != "softmax"
        self._smoothing = np.array([head.label_smoothing for head in heads], np.float32)
        balanced = images_a_class.sum() / (self.classes * np.maximum(images_a_class, 1))
        weights = [balanced if head.class_weights == "balanced" else 1 for head in heads]
        self._weights = np.array([np.broadcast_to(w, self.classes) for w in weights], np.float32)

    def select(self, rows: NDArray[np.bool_]) -> None:
        """Keep only some of the heads."""
        self._smoothing, self._weights = self._smoothing[rows], self._weights[rows]

    def measure(
        self, logits: Values, labels: NDArray[np.int64], *, weighted: bool = True
    ) -> Measured:
        """Compare logits (heads, n, outputs) with labels (n,).

        Class weights are used in training only, as in Keras's `fit`.
        """
        weights = self._weights[:, labels, np.newaxis] if weighted else np.float32(1)
        smoothing = self._smoothing[:, np.newaxis, np.newaxis]
        if self.binary:
            targets = labels[:, np.newaxis] * (1 - smoothing) + smoothing / 2
            losses = np.logaddexp(0, logits) - targets * logits
            right = (logits[..., 0] > 0) == labels
            off = expit(logits) - targets
        else:
            truth = np.eye(self.classes, dtype=np.float32)[labels]
            targets = truth * (1 - smoothing) + smoothing / self.classes
            losses = -targets * log_softmax(logits, axis=2)
            right = logits.argmax(axis=2) == labels
            off = softmax(logits, axis=2) - targets
        return Measured(
            (losses * weights).sum(axis=(1, 2), dtype=np.float64),
            right.sum(axis=1),
            (off * weights / len(labels)).astype(np.float32, copy=False),
        )
