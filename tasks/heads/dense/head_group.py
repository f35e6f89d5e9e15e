"""Head groups: dense heads with equal shapes, batches and seeds, which take each step at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stores.target_values import Targets
from tasks.heads.dense.loss import Measured, objective_of
from tasks.heads.dense.optimizers import OPTIMIZERS
from tasks.heads.dense.specification import DenseHead
from tasks.heads.dense.stacked_networks import (
    Architecture,
    Networks,
    Values,
    Weights,
    first_weights,
)

# Prefixes of metrics on the validation examples, and on those for early stopping.
VALIDATION, STOPPING = "val_", "stopping_"


class _Best(NamedTuple):
    loss: float
    epoch: int
    weights: Weights


@dataclass(frozen=True)
class Outcome:
    """The result of the training of a head: its weights, or why there are none."""

    weights: Weights
    history: list[dict[str, float]]  # one row per epoch
    epochs: int = 0  # of these weights
    failure: str = ""


_UNFINISHED = Outcome({}, [], failure="is still being trained")


class HeadGroup:
    """Heads of one architecture, seed, dropout and optimizer, trained on the same batches."""

    def __init__(
        self,
        heads: Sequence[DenseHead],
        ends: Sequence[int | None],  # fixed numbers of epochs, instead of early stopping
        *,
        seed: int,
        architecture: Architecture,
        truths: Targets,  # of the examples that they learn from
    ) -> None:
        # One generator for the initial weights and one for dropout, so that the number of layers
        # does not change the masks.
        weights, chance = np.random.SeedSequence(seed).spawn(2)
        first = first_weights(architecture, np.random.default_rng(weights))
        self.outcomes: list[Outcome] = [_UNFINISHED] * len(heads)
        self._heads = list(heads)
        self._ends = [end or head.epochs for head, end in zip(heads, ends, strict=True)]
        self._patience = [
            None if end else head.patience for head, end in zip(heads, ends, strict=True)
        ]
        self._numbers = np.arange(len(heads))  # of the heads that are still trained
        self._chance = np.random.Generator(np.random.SFC64(chance))
        self._networks = Networks(architecture, len(heads), first)
        self._objective = objective_of(heads, truths, architecture.outputs)
        self._optimizer = OPTIMIZERS[heads[0].optimizer](self._networks.trained.flat)
        self._histories: list[list[dict[str, float]]] = [[] for _ in heads]
        self._best: list[_Best | None] = [None] * len(heads)
        self._steps = 0
        batches = -(-len(truths) // heads[0].batch_size)
        self._all_steps = np.array([head.epochs * batches for head in heads])
        self._start = np.array([head.learning_rate for head in heads])
        self._cosine = np.array([head.schedule == "cosine" for head in heads])
        self._l2 = np.array([head.l2 for head in heads], np.float32)[:, np.newaxis, np.newaxis]
        self._begin_sums()

    @property
    def is_done(self) -> bool:
        """Whether all heads are finished."""
        return not len(self._numbers)

    def step(self, inputs: Values, truths: Targets) -> None:
        """Train on one batch, (n, features)."""
        networks = self._networks
        with np.errstate(all="ignore"):  # a head that diverges is detected by its loss
            logits, tape = networks.train_logits(
                inputs, dropout=self._heads[0].dropout, generator=self._chance
            )
            measured = self._objective.measure(logits, truths)
            networks.backward(measured.gradient, tape)
            self._add_decay()
            self._optimizer.step(networks.trained.flat, networks.gradients.flat, self._rates())
        self._sums[""].add(measured, len(truths))
        self._steps += 1

    def measure(self, prefix: str, inputs: Values, truths: Targets) -> None:
        """Evaluate the heads on some of the rows whose metrics have a prefix."""
        with np.errstate(all="ignore"):
            logits = self._networks.logits(inputs)
            measured = self._objective.measure(logits, truths, weighted=False)
        self._sums[prefix].add(measured, len(truths))

    def end_epoch(self) -> None:
        """Record the metrics of the epoch, and remove the heads that are finished."""
        with np.errstate(all="ignore"):
            penalties = self._penalties() * self._objective.loss_unit
        measured = {prefix: some.means() for prefix, some in self._sums.items()}
        finished = np.zeros(len(self._numbers), np.bool_)
        for row, number in enumerate(self._numbers.tolist()):
            epoch = {}
            for prefix, (losses, figures) in measured.items():
                if len(losses):
                    epoch[f"{prefix}{self._objective.figure}"] = float(figures[row])
                    epoch[f"{prefix}loss"] = float(losses[row] + penalties[row])
            self._histories[number].append(epoch)
            finished[row] = self._finish(row, number)
        if finished.any():
            self._select(~finished)
        self._begin_sums()

    def _begin_sums(self) -> None:
        count = len(self._numbers)
        self._sums = {prefix: _Sums(count) for prefix in ("", VALIDATION, STOPPING)}

    def _finish(self, row: int, number: int) -> bool:
        """Return whether a head is finished, and record its outcome then."""
        history, patience = self._histories[number], self._patience[number]
        losses = [value for name, value in history[-1].items() if name.endswith("loss")]
        if not np.isfinite(losses).all():
            reason = _diverged(self._heads[number], history)
            self.outcomes[number] = Outcome({}, history, failure=reason)
            return True
        # Without examples for early stopping, a head is trained for all its epochs.
        best, loss = self._best[number], history[-1].get(f"{STOPPING}loss")
        if patience is not None and loss is not None and (best is None or loss < best.loss):
            best = self._best[number] = _Best(loss, len(history), self._networks.weights(row))
        gave_up = best and len(history) - best.epoch >= (patience or 0)
        if gave_up or len(history) == self._ends[number]:
            weights = best.weights if best else self._networks.weights(row)
            epochs = best.epoch if best else len(history)
            self.outcomes[number] = Outcome(self._objective.unscaled(weights), history, epochs)
        return self.outcomes[number] is not _UNFINISHED

    def _select(self, rows: NDArray[np.bool_]) -> None:
        self._numbers = self._numbers[rows]
        self._networks.select(rows)
        self._objective.select(rows)
        self._optimizer.state = tuple(state[rows] for state in self._optimizer.state)

    def _rates(self) -> Values:
        """Return each head's learning rate at this step, (heads, 1)."""
        shares = np.minimum(self._steps / self._all_steps[self._numbers], 1.0)
        falling = (1 + np.cos(np.pi * shares)) / 2  # as keras.optimizers.schedules.CosineDecay
        rates = np.where(self._cosine[self._numbers], falling, 1.0) * self._start[self._numbers]
        return np.asarray(rates[:, np.newaxis], np.float32)

    def _add_decay(self) -> None:
        """Add the gradient of the L2 penalties."""
        for name, kernel in self._networks.trained.arrays.items():
            if name.startswith("kernel") and self._l2.any():
                self._networks.gradients.arrays[name] += 2 * self._l2[self._numbers] * kernel

    def _penalties(self) -> NDArray[np.float64]:
        """Return the L2 penalty in each head's loss."""
        arrays = self._networks.trained.arrays.items()
        kernels = [kernel for name, kernel in arrays if name.startswith("kernel")]
        squares = [np.square(kernel).sum(axis=(1, 2), dtype=np.float64) for kernel in kernels]
        return np.asarray(self._l2[self._numbers, 0, 0] * np.sum(squares, axis=0), np.float64)


class _Sums:
    """Losses and figures, summed over an epoch."""

    def __init__(self, heads: int) -> None:
        self._losses, self._figures, self._rows = np.zeros(heads), np.zeros(heads), 0

    def add(self, measured: Measured, rows: int) -> None:
        self._losses += measured.losses
        self._figures += measured.figures
        self._rows += rows

    def means(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean loss and figure of each head; empty without rows."""
        if not self._rows:
            return np.empty(0), np.empty(0)
        return self._losses / self._rows, self._figures / self._rows


def _diverged(head: DenseHead, history: list[dict[str, float]]) -> str:
    return (
        f"diverged: the loss is {history[-1]['loss']} in epoch {len(history)}; use a smaller "
        f"learning rate than {head.learning_rate:g}"
    )
