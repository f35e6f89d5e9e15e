"""Heads: the classifiers that are trained on features. A new kind is one module and one line."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tasks.heads.choices import Head

_TRAINERS = {
    "dense": "tasks.heads.dense:DenseTrainer",
    "logistic": "tasks.heads.linear:LinearTrainer",
    "svm": "tasks.heads.linear:LinearTrainer",
}


@dataclass(frozen=True)
class Examples:
    """Features (n, *shape) and labels (n,) as indices of the classes."""

    features: NDArray[Any]
    labels: NDArray[np.int64]


class TrainedHead(Protocol):
    """A classifier of features."""

    history: Sequence[dict[str, float]]  # one row an epoch; empty where there are none

    def scores(self, features: NDArray[Any]) -> NDArray[np.float64]:
        """Return (n, classes): probabilities, or for svm margins; the largest is the answer."""

    def save(self, folder: Path) -> None:
        """Write the model into an empty folder."""


class Trainer(Protocol):
    """What trains, and reads back, one kind of head."""

    def train(
        self, head: Head, train: Examples, validation: Examples, *, classes: int, seed: int
    ) -> TrainedHead:
        """Train a head; validation examples are only looked at, never learned from."""

    def load(self, folder: Path) -> TrainedHead:
        """Read back what `save` wrote, without executing anything from the file."""


def trainer_of(kind: str) -> Trainer:
    """Return the trainer of a kind of head."""
    trainer: Trainer = resolve_name(_TRAINERS[kind])()
    return trainer
