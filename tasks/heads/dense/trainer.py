"""The one-pass trainer: all dense heads learn from one stream of features, read once an epoch."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.datasets.folds import Fold
from tasks.execution.cancellation import stop_if_requested
from tasks.heads import Candidate
from tasks.heads.dense.head_group import Company, Outcome
from tasks.heads.dense.specification import DenseHead
from tasks.heads.dense.stacked_networks import Architecture, Weights
from tasks.heads.examples import Examples, Positions, flat


def train_together(candidates: Sequence[Candidate[DenseHead]], examples: Examples) -> list[Outcome]:
    """Train heads as each would be alone, and return the outcome of each.

    A seed decides a head's first weights, what is dropped, and the order in which it sees the
    examples of a chunk; the order of the chunks is the epoch's, the same for all. Raises
    StoppedEarly where whoever waits for it does so no more.
    """
    cohorts = _cohorts(candidates, examples)
    training, epoch = list(cohorts), 0
    while training:
        for chunk, (positions, rows) in enumerate(examples.stream.shuffled(epoch)):
            for cohort in training:
                cohort.learn(positions, flat(rows), draw=(epoch, chunk))
                stop_if_requested()
        for cohort in training:
            cohort.learn_rest()
        _measure(training, examples)
        training = [cohort for cohort in training if not cohort.end_epoch()]
        epoch += 1
    outcomes = dict(pair for cohort in cohorts for pair in cohort.outcomes())
    return [outcomes[number] for number in range(len(candidates))]


def _measure(training: "Sequence[_Cohort]", examples: Examples) -> None:
    """Measure all heads on the examples of their own fold that they do not learn from."""
    folds = examples.folds
    held_out = np.logical_or.reduce([fold.validation for fold in folds])
    if held_out.any():
        for positions, rows in examples.stream.ordered(held_out):
            for cohort in training:
                cohort.validate(positions, flat(rows))
    if any(cohort.stops for cohort in training):
        stopping = [fold.stopping for fold in folds if fold.stopping is not None]
        for positions, rows in examples.stream.ordered(np.logical_or.reduce(stopping)):
            for cohort in training:
                cohort.watch(positions, flat(rows))


def architecture_of(head: DenseHead, inputs: int, outputs: int) -> Architecture:
    """Return the shape of a head's network."""
    return Architecture(inputs, head.hidden_units, outputs, head.activation, head.batch_norm)


class _Cohort:
    """The companies that learn from the same batches: of a fold, seed, batch size and so on."""

    def __init__(
        self,
        key: "_Key",
        examples: Examples,
        scaling: Weights,
        companies: list[tuple[list[int], Company]],  # with the numbers of their candidates
    ) -> None:
        self._seed, self._size = key.seed, key.batch_size
        self._fold: Fold = examples.folds[key.fold]
        self._learned = self._fold.learned(stops=key.stops)
        self.stops = key.stops and self._fold.stopping is not None and self._fold.stopping.any()
        self._labels, self._scaling, self._companies = examples.labels, scaling, companies
        self._training = [company for _, company in companies]
        self._positions = np.empty(0, np.int64)  # of a batch that is not full yet
        self._rows = np.empty((0, 0), np.float32)

    def learn(
        self, positions: Positions, rows: NDArray[np.float32], *, draw: tuple[int, int]
    ) -> None:
        """Take in examples, in an order of the draw's own, and learn from each full batch."""
        mine = np.flatnonzero(self._learned[positions])
        np.random.default_rng((self._seed, *draw)).shuffle(mine)
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

    def validate(self, positions: Positions, rows: NDArray[np.float32]) -> None:
        """Measure the heads on examples."""
        mine = self._fold.validation[positions]
        if mine.any():
            rows, labels = self._scaled(rows[mine]), self._labels[positions[mine]]
            for company in self._training:
                company.validate(rows, labels)

    def watch(self, positions: Positions, rows: NDArray[np.float32]) -> None:
        """Measure the heads that have a patience on the examples that may end them."""
        if not self.stops or self._fold.stopping is None:
            return
        mine = self._fold.stopping[positions]
        if mine.any():
            rows, labels = self._scaled(rows[mine]), self._labels[positions[mine]]
            for company in self._training:
                company.watch(rows, labels)

    def end_epoch(self) -> bool:
        """Let go of the heads that are finished; tell whether all are."""
        for company in self._training:
            company.end_epoch()
        self._training = [company for company in self._training if not company.is_done]
        return not self._training

    def outcomes(self) -> Iterator[tuple[int, Outcome]]:
        """Yield each candidate's number and outcome."""
        for numbers, company in self._companies:
            for number, outcome in zip(numbers, company.outcomes, strict=True):
                weights = outcome.weights and outcome.weights | self._scaling
                yield number, replace(outcome, weights=weights)

    def _learn(self, positions: Positions, rows: NDArray[np.float32]) -> None:
        labels = self._labels[positions]
        for company in self._training:
            for start in range(0, len(rows), self._size):
                batch = slice(start, start + self._size)
                company.step(rows[batch], labels[batch])

    def _scaled(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        if not self._scaling:
            return rows
        return np.asarray((rows - self._scaling["mean"]) / self._scaling["scale"])


class _Key(NamedTuple):
    """What candidates share that learn from the same batches."""

    fold: int
    seed: int
    batch_size: int
    standardize: bool
    stops: bool  # it has a patience, and does not learn from the examples that end it


def _key(candidate: Candidate[DenseHead]) -> _Key:
    head, stops = candidate.head, candidate.head.patience is not None and not candidate.epochs
    return _Key(candidate.fold, candidate.seed, head.batch_size, head.standardize, stops)


def _cohorts(candidates: Sequence[Candidate[DenseHead]], examples: Examples) -> list[_Cohort]:
    together: dict[_Key, list[int]] = defaultdict(list)
    for number, candidate in enumerate(candidates):
        together[_key(candidate)].append(number)
    scaled = {(key.fold, key.stops) for key in together if key.standardize}
    scalings = {(fold, stops): _scaling(examples, fold, stops=stops) for fold, stops in scaled}
    width = examples.stream.width
    cohorts = []
    for key, numbers in together.items():
        labels = examples.labels[examples.folds[key.fold].learned(stops=key.stops)]
        images_a_class = np.bincount(labels, minlength=examples.classes)
        companies = _companies(candidates, numbers, width, images_a_class)
        scaling = scalings[key.fold, key.stops] if key.standardize else {}
        cohorts.append(_Cohort(key, examples, scaling, companies))
    return cohorts


def _companies(
    candidates: Sequence[Candidate[DenseHead]],
    numbers: Sequence[int],
    width: int,
    images_a_class: NDArray[np.int64],
) -> list[tuple[list[int], Company]]:
    alike: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for number in numbers:
        head = candidates[number].head
        outputs = len(images_a_class) if head.output == "softmax" else 1
        architecture = architecture_of(head, width, outputs)
        alike[architecture, candidates[number].seed, head.dropout, head.optimizer].append(number)
    return [
        (
            members,
            Company(
                [candidates[number].head for number in members],
                [candidates[number].epochs for number in members],
                seed=seed,
                architecture=architecture,
                images_a_class=images_a_class,
            ),
        )
        for (architecture, seed, _, _), members in alike.items()
    ]


def _scaling(examples: Examples, fold: int, *, stops: bool) -> Weights:
    scaler = examples.scaler(examples.folds[fold], stops=stops)
    return {"mean": scaler.mean_.astype(np.float32), "scale": scaler.scale_.astype(np.float32)}
