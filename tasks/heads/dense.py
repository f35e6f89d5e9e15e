"""Dense heads, trained by Keras on features in memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tasks.errors import InputError
from tasks.heads import Examples
from tasks.heads.choices import DenseHead, Head

_OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": keras.optimizers.SGD,
}


class TrainedDense:
    """A Keras model from features to one logit, one probability, or one probability a class."""

    def __init__(self, model: Any, history: Sequence[dict[str, float]] = ()) -> None:  # noqa: ANN401
        self.model = model
        self.history = history

    def scores(self, features: NDArray[Any]) -> NDArray[np.float64]:
        """Return the probability of each class, (n, classes)."""
        outputs = self.model.predict(features, batch_size=1024, verbose=0)
        outputs = np.asarray(outputs, np.float64)
        if outputs.shape[1] > 1:
            return outputs
        if self.model.layers[-1].activation is keras.activations.linear:
            with np.errstate(over="ignore"):  # 1 / (1 + inf) is the 0 that it should be
                outputs = 1.0 / (1.0 + np.exp(-outputs))
        return np.hstack([1.0 - outputs, outputs])

    def save(self, folder: Path) -> None:
        """Write `head.keras`."""
        self.model.save(folder / "head.keras")


class DenseTrainer:
    """Trains dense heads by `fit`."""

    def train(
        self, head: Head, train: Examples, validation: Examples, *, classes: int, seed: int
    ) -> TrainedDense:
        """Train; raises InputError where the loss is no number any more."""
        if not isinstance(head, DenseHead):
            raise TypeError(f"expected a dense head, received {head}")
        keras.utils.set_random_seed(seed)
        model = _build(head, train.features.shape[1:], classes)
        model.compile(optimizer=_OPTIMIZERS[head.optimizer](head.learning_rate), **_objective(head))
        history = model.fit(
            *_arrays(head, train),
            validation_data=_arrays(head, validation),
            batch_size=head.batch_size,
            epochs=head.epochs,
            verbose=0,
        ).history
        if not np.isfinite(history["loss"]).all():
            raise InputError(
                f"the dense head diverged: its loss is {history['loss'][-1]} after "
                f"{head.epochs} epochs; use a smaller --learning-rate than {head.learning_rate:g}"
            )
        rows = zip(*history.values(), strict=True)
        return TrainedDense(model, [dict(zip(history, row, strict=True)) for row in rows])

    def load(self, folder: Path) -> TrainedDense:
        """Read `head.keras` in Keras's safe mode."""
        return TrainedDense(keras.saving.load_model(folder / "head.keras", safe_mode=True))


def _build(head: DenseHead, feature_shape: tuple[int, ...], classes: int) -> Any:  # noqa: ANN401
    layers = [keras.Input(feature_shape)]
    if len(feature_shape) > 1:
        layers.append(keras.layers.Flatten())
    for units in head.hidden_units:
        layers.append(keras.layers.Dense(units, activation=head.activation))
        layers += [keras.layers.Dropout(head.dropout)] if head.dropout else []
    if head.dropout and not head.hidden_units:
        layers.append(keras.layers.Dropout(head.dropout))
    activation = {"logit": None, "sigmoid": "sigmoid", "softmax": "softmax"}[head.output]
    units = classes if head.output == "softmax" else 1
    return keras.Sequential([*layers, keras.layers.Dense(units, activation=activation)])


def _objective(head: DenseHead) -> dict[str, Any]:
    if head.output == "softmax":
        return {
            "loss": keras.losses.SparseCategoricalCrossentropy(),
            "metrics": [keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        }
    logits = head.output == "logit"
    accuracy = keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0 if logits else 0.5)
    return {"loss": keras.losses.BinaryCrossentropy(from_logits=logits), "metrics": [accuracy]}


def _arrays(head: DenseHead, examples: Examples) -> tuple[NDArray[Any], NDArray[Any]]:
    if head.output == "softmax":
        return examples.features, examples.labels
    return examples.features, examples.labels.astype(np.float32)[:, None]
