"""Dense heads: trained by the one-pass trainer, kept as plain arrays."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from stores.errors import CorruptStore
from tasks.errors import InputError
from tasks.heads import Examples, TrainedHead
from tasks.heads.choices import DenseHead, Head
from tasks.heads.networks import Networks, Weights
from tasks.heads.one_pass import Entrant, Fold, MemoryStream, architecture_of, train_together

_ROWS_AT_ONCE = 1024


class TrainedDense:
    """A dense head with its weights: `kernel_0`, `bias_0`, …, and `mean` and `scale` if scaled."""

    def __init__(
        self, head: DenseHead, weights: Weights, history: Sequence[dict[str, float]] = ()
    ) -> None:
        self.head, self.weights, self.history = head, weights, history
        inputs = weights["kernel_0"].shape[0]
        outputs = weights[f"bias_{len(head.hidden_units)}"].shape[-1]
        self._network = Networks(architecture_of(head, inputs, outputs), 1, weights)

    def logits(self, features: NDArray[Any]) -> NDArray[np.float32]:
        """Return what the last layer says of features (n, *shape), (n, 1) or (n, classes)."""
        flat = np.asarray(features, np.float32).reshape(len(features), -1)
        if self.head.standardize:
            flat = (flat - self.weights["mean"]) / self.weights["scale"]
        parts = range(0, max(1, len(flat)), _ROWS_AT_ONCE)
        outputs = [self._network.logits(flat[at : at + _ROWS_AT_ONCE])[0] for at in parts]
        return np.concatenate(outputs)

    def scores(self, features: NDArray[Any]) -> NDArray[np.float64]:
        """Return the probability of each class, (n, classes)."""
        logits = self.logits(features).astype(np.float64)
        if self.head.output == "softmax":
            return np.asarray(softmax(logits, axis=1))
        return np.hstack([expit(-logits), expit(logits)])

    def save(self, folder: Path) -> None:
        """Write `head.npz`: the weights, and the specification as JSON in a text."""
        said = np.array(json.dumps(asdict(self.head)))
        np.savez(folder / "head.npz", allow_pickle=False, specification=said, **self.weights)


class DenseTrainer:
    """Trains dense heads in one pass."""

    def train(
        self, head: Head, train: Examples, validation: Examples, *, classes: int, seed: int
    ) -> TrainedDense:
        """Train; raises InputError where the loss is no number any more."""
        if not isinstance(head, DenseHead):
            raise TypeError(f"expected a dense head, received {head}")
        features = np.concatenate([train.features, validation.features])
        labels = np.concatenate([train.labels, validation.labels])
        is_train = np.arange(len(labels)) < len(train.labels)
        (outcome,) = train_together(
            [Entrant(head, seed)],
            MemoryStream(features),
            labels,
            [Fold(is_train, ~is_train)],
            classes=classes,
        )
        if outcome.failure:
            raise InputError(f"the dense head {outcome.failure}")
        return TrainedDense(head, outcome.weights, outcome.history)

    def load(self, folder: Path) -> TrainedHead:
        """Read what `save` wrote, or the `head.keras` of earlier versions in Keras's safe mode."""
        if (folder / "head.keras").exists():
            from tasks.heads.keras_head import KerasHead

            return KerasHead(folder / "head.keras")
        try:
            with np.load(folder / "head.npz", allow_pickle=False) as file:
                weights = dict(file)
            told = json.loads(str(weights.pop("specification")))
            head = DenseHead(**told | {"hidden_units": tuple(told["hidden_units"])})
            return TrainedDense(head, weights)
        except (ValueError, TypeError, KeyError, BadZipFile) as error:
            raise CorruptStore(f"{folder}: the model is damaged: {error}; train again") from error
