"""Learning: epoch by epoch over examples, each kept once it is done, so that none is lost."""

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
_STATE = "state.npz"  # of a checkpoint: the weights after the cut, and the optimiser's variables
_DRAWS_AN_EPOCH = 2**20  # of a layer, at the most: one a batch


def _best_epoch(history: History) -> int:
    """Return the number of the epoch with the smallest loss, the first of equals.

    Of the images that are set aside for it: those of validation only measure.
    """
    return min(range(len(history)), key=lambda epoch: history[epoch][f"{STOPPING}loss"])


class BinaryCrossEntropy(keras.losses.Loss):  # type: ignore[misc]
    """Keras's BinaryCrossentropy of logits, (n, 1), with a gradient that is always the same.

    That of TensorFlow's sigmoid_cross_entropy_with_logits, which Keras uses, is a sum of several
    terms: AddN begins it with whichever of them nothing else reads any more, so that two trainings
    part in the last bit, and further with each step. Here it is the difference of two.
    """

    def __init__(self, label_smoothing: float) -> None:
        super().__init__()
        self._label_smoothing = label_smoothing

    def call(self, targets: Any, logits: Any) -> Any:  # noqa: ANN401  Keras's tensors
        """Return the loss of each row, (n,), of targets from 0 to 1."""
        targets = targets * (1 - self._label_smoothing) + self._label_smoothing / 2
        return keras.ops.mean(keras.ops.softplus(logits) - targets * logits, axis=-1)


class Diverged(ArithmeticError):
    """The loss is no number any more."""


@dataclass(frozen=True)
class Learner:
    """A network, and all that it learns by."""

    network: Network
    model: Any  # all of the network, or the rest of it after the cut: what examples yield → logits
    tuning: FineTuning
    examples: Examples
    labels: Labels  # (n,) of all examples
    classes: int
    seed: int

    def learn(self, parts: Parts, checkpoints: Checkpoints) -> History:
        """Learn from some examples, measured on others; return a row an epoch.

        It goes on after the last epoch that a checkpoint holds, and ends with the same weights as
        if it had never been stopped. Raises Diverged.
        """
        self.compile()
        history: History = []
        best: Weights = []
        if kept := checkpoints.latest():
            best, history = self._go_on_from(kept.folder), kept.history
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
        outputs = np.empty((len(places), self.model.output_shape[-1]), np.float32)
        done = 0
        for _, rows in self.examples.measured(places):
            outputs[done : done + len(rows)] = self.model.predict_on_batch(rows)
            done += len(rows)
            stop_if_requested()
        return probabilities(outputs)

    def _save(self, folder: Path, *, best: Weights) -> None:
        """Write what has changed since the start: the same from images and from features."""
        parts = {
            "weight": self.network.rest.get_weights(),
            "optimizer": [np.asarray(variable) for variable in self.model.optimizer.variables],
            "best": best,
        }
        arrays = {f"{name}_{n}": a for name, part in parts.items() for n, a in enumerate(part)}
        np.savez(folder / _STATE, allow_pickle=False, **arrays)

    def _go_on_from(self, folder: Path) -> Weights:
        """Take what was saved; return the weights of the best epoch, where they are wanted.

        Raises CorruptStore where it is of another network, though its digest was right.
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
                f"{folder / _STATE}: no state of this training: {reason}; delete {folder.parent} "
                "and call again: it begins anew"
            ) from error
        return [arrays[f"best_{n}"] for n in range(count) if f"best_{n}" in arrays]

    def epoch(self, epoch: int, parts: Parts) -> dict[str, float]:
        """Learn for one epoch, the one of this number from 0, and return what it came to."""
        self._seed_dropout(epoch)
        weights = self._class_weights(parts.learned)
        order = shuffled(parts.learned, seed=self.seed, epoch=epoch)
        learned = self.examples.learned(order, epoch=epoch)
        step = partial(self.model.train_on_batch, class_weight=weights)
        row = self._mean(learned, step, told=advance)
        if not math.isfinite(row["loss"]):
            raise Diverged(
                f"the loss is no number any more in epoch {epoch + 1}; use a smaller "
                "--learning-rate"
            )
        for prefix, places in (("val_", parts.validation), (STOPPING, parts.stopping)):
            if len(places):
                # Without class weights, as Keras's `fit` validates.
                said = self._mean(self.examples.measured(places), self.model.test_on_batch)
                row |= {f"{prefix}{name}": value for name, value in said.items()}
        return row | {FINE_TUNED: 1.0}

    def _seed_dropout(self, epoch: int) -> None:
        """Begin each epoch's random numbers where its number says: Keras does not save them."""
        states = [v for v in self.model.variables if v.path.endswith("seed_generator_state")]
        for number, state in enumerate(states):
            state.assign([(self.seed + number) % 2**31, epoch * _DRAWS_AN_EPOCH])

    def _mean(
        self,
        batches: Iterator[Batch],
        say: Callable[..., Any],
        told: Callable[[int], None] = lambda _: None,
    ) -> dict[str, float]:
        """Return loss and accuracy over batches, as `say` has them of each: the mean of images."""
        sums, images = dict.fromkeys(("loss", "accuracy"), 0.0), 0
        for places, rows in batches:
            said = say(rows, self._targets(places), return_dict=True)
            for name in sums:
                sums[name] += float(said[name]) * len(places)
            images += len(places)
            told(len(places))
            stop_if_requested()
        return {name: total / images for name, total in sums.items()}

    def compile(self) -> None:
        """Make ready to learn: the first epoch may follow, or a checkpoint's weights."""
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
            jit_compile=False,  # on a CPU XLA is many times slower
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
