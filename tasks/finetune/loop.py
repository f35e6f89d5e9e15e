"""The training loop of a fine-tuning, with a checkpoint after each epoch."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from stores.errors import CorruptStore
from stores.runs.checkpoints import Checkpoints, History
from stores.storage.json_files import ABSURD
from tasks.execution.cancellation import stop_if_requested
from tasks.execution.checked_keras import keras
from tasks.execution.progress import advance
from tasks.finetune.batches import Batch, Examples, Parts, Places, shuffled
from tasks.finetune.network import Network
from tasks.finetune.specification import FINE_TUNED, FineTuning
from tasks.heads.archives import check_stored
from tasks.heads.dense.head_group import STOPPING
from tasks.heads.dense.trained import probabilities

Labels = NDArray[np.int64]
Weights = list[NDArray[np.float32]]
_OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": keras.optimizers.SGD,
}
_STATE = "state.npz"  # of a checkpoint: the weights after the cut, and the optimizer's variables
_DRAWS_AN_EPOCH = 2**20  # maximum random draws of a layer in an epoch: one per batch


def _best_epoch(history: History) -> int:
    """Return the index of the epoch with the lowest loss on the examples for early stopping."""
    return min(range(len(history)), key=lambda epoch: history[epoch][f"{STOPPING}loss"])


class BinaryCrossEntropy(keras.losses.Loss):  # type: ignore[misc]
    """Keras's BinaryCrossentropy of logits, (n, 1), with a deterministic gradient.

    The gradient of TensorFlow's sigmoid_cross_entropy_with_logits, which Keras uses, is a sum of
    several terms in no fixed order (AddN), so that two trainings differ in the last bit, and more
    with each step. Here it is the difference of two terms.
    """

    def __init__(self, label_smoothing: float) -> None:
        super().__init__()
        self._label_smoothing = label_smoothing

    def call(self, targets: Any, logits: Any) -> Any:  # noqa: ANN401  Keras's tensors
        """Return the loss of each row, (n,), of targets from 0 to 1."""
        targets = targets * (1 - self._label_smoothing) + self._label_smoothing / 2
        return keras.ops.mean(keras.ops.softplus(logits) - targets * logits, axis=-1)


class Diverged(ArithmeticError):
    """The loss is not finite."""


@dataclass(frozen=True)
class Learner:
    """A network with its training data and settings."""

    network: Network
    model: Any  # from the examples' batches to logits: the network, or its part after the cut
    tuning: FineTuning
    examples: Examples
    labels: Labels  # (n,) of all examples
    classes: int
    seed: int

    def learn(self, parts: Parts, checkpoints: Checkpoints) -> History:
        """Train the network; return one row of metrics per epoch.

        The training resumes after the last checkpoint, and ends with the same weights as without
        the interruption. Raises Diverged.
        """
        self.compile()
        history: History = []
        best: Weights = []
        if kept := checkpoints.latest():
            best, history = self._resume(kept.folder), kept.history
            advance(len(history) * len(parts.learned))
        stops = bool(self.tuning.patience and len(parts.stopping))
        while not self._is_done(history, stops=stops):
            history.append(self.epoch(len(history), parts))
            if stops and _best_epoch(history) == len(history) - 1:
                best = self.network.rest.get_weights()
            checkpoints.publish(history, save=partial(self._save, best=best))
        if best:
            self.network.rest.set_weights(best)
        return history

    def _is_done(self, history: History, *, stops: bool) -> bool:
        patience, epochs = self.tuning.patience, len(history)
        without_better = epochs - 1 - _best_epoch(history) if stops and history else 0
        gave_up = stops and patience is not None and without_better >= patience
        return epochs >= self.tuning.epochs or gave_up

    def scores(self, places: Places) -> NDArray[np.float64]:
        """Return the probability of each class, (n, classes)."""
        outputs = []
        for _, rows in self.examples.measured(places):
            outputs.append(self.model.predict_on_batch(rows))
            stop_if_requested()
        return probabilities(np.concatenate(outputs))

    def _save(self, folder: Path, *, best: Weights) -> None:
        """Write what the training has changed; it is the same for images and stored features."""
        parts = {
            "weight": self.network.rest.get_weights(),
            "optimizer": [np.asarray(variable) for variable in self.model.optimizer.variables],
            "best": best,
        }
        arrays = {f"{name}_{n}": a for name, part in parts.items() for n, a in enumerate(part)}
        np.savez(folder / _STATE, allow_pickle=False, **arrays)

    def _resume(self, folder: Path) -> Weights:
        """Load what was saved; return the weights of the best epoch, if there are any.

        Raises CorruptStore if it belongs to another network.
        """
        try:
            check_stored(folder / _STATE)
            with np.load(folder / _STATE, allow_pickle=False) as state:
                arrays = dict(state)
            count = len(self.network.rest.weights)
            self.network.rest.set_weights([arrays[f"weight_{n}"] for n in range(count)])
            for n, variable in enumerate(self.model.optimizer.variables):
                variable.assign(arrays[f"optimizer_{n}"])
        except (BadZipFile, *ABSURD) as error:
            reason = " ".join(str(error).split())[:200]
            raise CorruptStore(
                f"{folder / _STATE}: not a state of this training: {reason}; delete "
                f"{folder.parent} and run the command again, to start from the beginning"
            ) from error
        return [arrays[f"best_{n}"] for n in range(count) if f"best_{n}" in arrays]

    def epoch(self, epoch: int, parts: Parts) -> dict[str, float]:
        """Learn for one epoch, the one of this number from 0, and return what it came to."""
        self._seed_dropout(epoch)
        weights = self._class_weights(parts.learned)
        order = shuffled(parts.learned, seed=self.seed, epoch=epoch)
        learned = self.examples.learned(order, epoch=epoch)
        step = partial(self.model.train_on_batch, class_weight=weights)
        row = self._mean(learned, step, done=advance)
        if not math.isfinite(row["loss"]):
            raise Diverged(
                f"diverged: the loss is not finite in epoch {epoch + 1}; use a smaller "
                "--learning-rate"
            )
        for prefix, places in (("val_", parts.validation), (STOPPING, parts.stopping)):
            if len(places):
                # Without class weights, as in the validation of Keras's `fit`.
                means = self._mean(self.examples.measured(places), self.model.test_on_batch)
                row |= {f"{prefix}{name}": value for name, value in means.items()}
        return row | {FINE_TUNED: 1.0}

    def _seed_dropout(self, epoch: int) -> None:
        """Set the state of dropout by the number of the epoch, because Keras does not save it."""
        states = [v for v in self.model.variables if v.path.endswith("seed_generator_state")]
        for number, state in enumerate(states):
            state.assign([(self.seed + number) % 2**31, epoch * _DRAWS_AN_EPOCH])

    def _mean(
        self,
        batches: Iterator[Batch],
        step: Callable[..., Any],
        done: Callable[[int], None] = lambda _: None,
    ) -> dict[str, float]:
        """Return the mean loss and accuracy over images, as `step` returns them for each batch."""
        sums, images = dict.fromkeys(("loss", "accuracy"), 0.0), 0
        for places, rows in batches:
            means = step(rows, self._targets(places), return_dict=True)
            for name in sums:
                sums[name] += float(means[name]) * len(places)
            images += len(places)
            done(len(places))
            stop_if_requested()
        return {name: total / images for name, total in sums.items()}

    def compile(self) -> None:
        """Compile the model, before the first epoch or the weights of a checkpoint."""
        metrics = keras.metrics
        binary, smoothing = self.network.head.output != "softmax", self.network.head.label_smoothing
        self.model.compile(
            optimizer=_OPTIMIZERS[self.tuning.optimizer](self.tuning.learning_rate),
            loss=BinaryCrossEntropy(smoothing)
            if binary
            else keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing),
            metrics=[
                metrics.BinaryAccuracy("accuracy", threshold=0.0)
                if binary
                else metrics.CategoricalAccuracy("accuracy")
            ],
            jit_compile=False,  # XLA is many times slower on a CPU
        )
        self.model.optimizer.build(self.model.trainable_variables)  # what a checkpoint fills

    def _targets(self, places: Places) -> NDArray[np.float32]:
        labels = self.labels[places]
        if self.network.head.output != "softmax":
            return labels[:, np.newaxis].astype(np.float32)
        return np.eye(self.classes, dtype=np.float32)[labels]

    def _class_weights(self, train: Places) -> dict[int, float] | None:
        if self.network.head.class_weights == "none":
            return None
        counts = np.bincount(self.labels[train], minlength=self.classes)
        weights = len(train) / (self.classes * np.maximum(counts, 1))
        return dict(enumerate(weights.tolist()))
