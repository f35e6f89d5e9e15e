"""The one-pass trainer: all dense heads learn from one stream of features, read once an epoch."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from tasks.heads.choices import DenseHead
from tasks.heads.company import Company, Outcome
from tasks.heads.networks import Architecture

Positions = NDArray[np.int64]
Chunk = tuple[Positions, NDArray[Any]]  # positions of examples, and their features (n, *shape)


class Stream(Protocol):
    """Features of all examples, in memory or not."""

    def shuffled(self, epoch: int) -> Iterator[Chunk]:
        """Yield all of them in an order of the epoch's own."""

    def ordered(self) -> Iterator[Chunk]:
        """Yield all of them in their order."""


ROWS_A_CHUNK = 4096  # in the caches of all companies one after the other


@dataclass(frozen=True)
class Fold:
    """Which examples a head learns from, and which it is only measured on."""

    train: NDArray[np.bool_]
    validation: NDArray[np.bool_]


@dataclass(frozen=True)
class Entrant:
    """A head that is to be trained: its specification, seed and the number of its fold."""

    head: DenseHead
    seed: int
    fold: int = 0


class MemoryStream:
    """Features in memory."""

    def __init__(self, features: NDArray[Any]) -> None:
        self._features = features.reshape(len(features), -1)

    def shuffled(self, epoch: int) -> Iterator[Chunk]:
        """Yield all in the order in which FeatureStore.batches does with this seed."""
        order = np.arange(len(self._features), dtype=np.int64)
        np.random.default_rng(epoch).shuffle(order)
        for start in range(0, len(order), ROWS_A_CHUNK):
            positions = order[start : start + ROWS_A_CHUNK]
            yield positions, self._features[positions]

    def ordered(self) -> Iterator[Chunk]:
        """Yield all."""
        yield np.arange(len(self._features)), self._features


def train_together(
    entrants: Sequence[Entrant],
    stream: Stream,
    labels: NDArray[np.int64],
    folds: Sequence[Fold],
    *,
    classes: int,
) -> list[Outcome]:
    """Train heads as each would be alone, and return the outcome of each.

    `labels` (n,) are those of the stream's examples. The order of the examples is the epoch's, the
    same for all heads: a seed decides the first weights and what is dropped.
    """
    squads = _squads(entrants, stream, labels, folds, classes)
    training, epoch = list(squads), 0
    while training:
        for positions, rows in stream.shuffled(epoch):
            for squad in training:
                squad.learn(positions, rows)
        for squad in training:
            squad.learn_rest()
        for positions, rows in stream.ordered():
            for squad in training:
                squad.validate(positions, rows)
        training = [squad for squad in training if not squad.end_epoch()]
        epoch += 1
    outcomes = dict(pair for squad in squads for pair in squad.outcomes())
    return [outcomes[number] for number in range(len(entrants))]


def architecture_of(head: DenseHead, inputs: int, outputs: int) -> Architecture:
    """Return the shape of a head's network."""
    return Architecture(inputs, head.hidden_units, outputs, head.activation, head.batch_norm)


class _Squad:
    """The companies that learn from the same batches: those of a fold, batch size and scaling."""

    def __init__(
        self,
        fold: Fold,
        labels: NDArray[np.int64],
        size: int,
        scaler: StandardScaler | None,
        companies: list[tuple[list[int], Company]],  # with the numbers of their entrants
    ) -> None:
        self._fold, self._labels, self._size, self._scaler = fold, labels, size, scaler
        self._companies = companies
        self._training = [company for _, company in companies]
        self._positions = np.empty(0, np.int64)  # of a batch that is not full yet
        self._rows = np.empty((0, 0), np.float32)

    def learn(self, positions: Positions, rows: NDArray[Any]) -> None:
        """Take in examples, and learn from as many full batches as there are."""
        mine = self._fold.train[positions]
        positions, rows = positions[mine], self._scaled(rows[mine])
        if len(self._positions):
            positions = np.concatenate([self._positions, positions])
            rows = np.concatenate([self._rows, rows])
        full = len(positions) // self._size * self._size
        self._learn(positions[:full], rows[:full])
        self._positions, self._rows = positions[full:], rows[full:]

    def learn_rest(self) -> None:
        """Learn from the examples that are left at an epoch's end: a smaller batch."""
        self._learn(self._positions, self._rows)
        self._positions = self._positions[:0]

    def validate(self, positions: Positions, rows: NDArray[Any]) -> None:
        """Measure the heads on examples."""
        mine = self._fold.validation[positions]
        rows, labels = self._scaled(rows[mine]), self._labels[positions[mine]]
        for company in self._training:
            company.validate(rows, labels)

    def end_epoch(self) -> bool:
        """Let go of the heads that are finished; tell whether all are."""
        for company in self._training:
            company.end_epoch()
        self._training = [company for company in self._training if not company.is_done]
        return not self._training

    def outcomes(self) -> Iterator[tuple[int, Outcome]]:
        """Yield each entrant's number and outcome."""
        scaling = {}
        if self._scaler is not None:
            scaling = {
                "mean": self._scaler.mean_.astype(np.float32),
                "scale": self._scaler.scale_.astype(np.float32),
            }
        for numbers, company in self._companies:
            for number, outcome in zip(numbers, company.outcomes, strict=True):
                weights = outcome.weights and outcome.weights | scaling
                yield number, replace(outcome, weights=weights)

    def _learn(self, positions: Positions, rows: NDArray[np.float32]) -> None:
        labels = self._labels[positions]
        for company in self._training:
            for start in range(0, len(rows), self._size):
                batch = slice(start, start + self._size)
                company.step(rows[batch], labels[batch])

    def _scaled(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        flat = np.asarray(rows, np.float32).reshape(len(rows), -1)
        if self._scaler is None:
            return flat
        return np.asarray(self._scaler.transform(flat), np.float32)


def _squads(
    entrants: Sequence[Entrant],
    stream: Stream,
    labels: NDArray[np.int64],
    folds: Sequence[Fold],
    classes: int,
) -> list[_Squad]:
    together: dict[tuple[int, int, bool], list[int]] = defaultdict(list)
    for number, entrant in enumerate(entrants):
        head = entrant.head
        together[entrant.fold, head.batch_size, head.standardize].append(number)
    scalers = _scalers({fold for fold, _, scaled in together if scaled}, stream, folds)
    width = next(rows.reshape(len(rows), -1).shape[1] for _, rows in stream.ordered())
    squads = []
    for (fold, size, scaled), numbers in together.items():
        images_a_class = np.bincount(labels[folds[fold].train], minlength=classes)
        companies = _companies(entrants, numbers, width, images_a_class)
        scaler = scalers[fold] if scaled else None
        squads.append(_Squad(folds[fold], labels, size, scaler, companies))
    return squads


def _companies(
    entrants: Sequence[Entrant],
    numbers: Sequence[int],
    width: int,
    images_a_class: NDArray[np.int64],
) -> list[tuple[list[int], Company]]:
    alike: dict[tuple[Architecture, int, float, str], list[int]] = defaultdict(list)
    for number in numbers:
        head = entrants[number].head
        outputs = len(images_a_class) if head.output == "softmax" else 1
        architecture = architecture_of(head, width, outputs)
        alike[architecture, entrants[number].seed, head.dropout, head.optimizer].append(number)
    return [
        (
            members,
            Company(
                [entrants[number].head for number in members],
                seed=seed,
                architecture=architecture,
                images_a_class=images_a_class,
            ),
        )
        for (architecture, seed, _, _), members in alike.items()
    ]


def _scalers(wanted: set[int], stream: Stream, folds: Sequence[Fold]) -> dict[int, StandardScaler]:
    """Return what standardises features by the training examples of a fold, in one pass."""
    scalers = {fold: StandardScaler() for fold in wanted}
    for positions, rows in stream.ordered() if wanted else ():
        flat = np.asarray(rows, np.float32).reshape(len(rows), -1)
        for fold, scaler in scalers.items():
            if len(mine := flat[folds[fold].train[positions]]):
                scaler.partial_fit(mine)
    return scalers
