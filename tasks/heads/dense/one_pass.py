"""The one-pass trainer: all dense heads learn from one stream of features, read once an epoch."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.heads import Candidate
from tasks.heads.dense.company import Company, Outcome
from tasks.heads.dense.networks import Architecture, Weights
from tasks.heads.dense.specification import DenseHead
from tasks.heads.examples import Examples, Fold, Positions, flat
from tasks.stopping import stop_if_asked


def train_together(candidates: Sequence[Candidate[DenseHead]], examples: Examples) -> list[Outcome]:
    """Train heads as each would be alone, and return the outcome of each.

    A seed decides a head's first weights, what is dropped, and the order in which it sees the
    examples of a chunk; the order of the chunks is the epoch's, the same for all. Raises
    StoppedEarly where whoever waits for it does so no more.
    """
    cohorts = _cohorts(candidates, examples)
    measured = np.logical_or.reduce([fold.validation for fold in examples.folds])
    training, epoch = list(cohorts), 0
    while training:
        for chunk, (positions, rows) in enumerate(examples.stream.shuffled(epoch)):
            for cohort in training:
                cohort.learn(positions, flat(rows), draw=(epoch, chunk))
                stop_if_asked()
        for cohort in training:
            cohort.learn_rest()
        if measured.any():
            for positions, rows in examples.stream.ordered(measured):
                for cohort in training:
                    cohort.validate(positions, flat(rows))
        training = [cohort for cohort in training if not cohort.end_epoch()]
        epoch += 1
    outcomes = dict(pair for cohort in cohorts for pair in cohort.outcomes())
    return [outcomes[number] for number in range(len(candidates))]


def architecture_of(head: DenseHead, inputs: int, outputs: int) -> Architecture:
    """Return the shape of a head's network."""
    return Architecture(inputs, head.hidden_units, outputs, head.activation, head.batch_norm)


class _Cohort:
    """The companies that learn from the same batches: of a fold, seed, batch size and scaling."""

    def __init__(
        self,
        key: tuple[int, int, int, bool],
        examples: Examples,
        scaling: Weights,
        companies: list[tuple[list[int], Company]],  # with the numbers of their candidates
    ) -> None:
        fold, self._seed, self._size, _ = key
        self._fold: Fold = examples.folds[fold]
        self._labels, self._scaling, self._companies = examples.labels, scaling, companies
        self._training = [company for _, company in companies]
        self._positions = np.empty(0, np.int64)  # of a batch that is not full yet
        self._rows = np.empty((0, 0), np.float32)

    def learn(
        self, positions: Positions, rows: NDArray[np.float32], *, draw: tuple[int, int]
    ) -> None:
        """Take in examples, in an order of the draw's own, and learn from each full batch."""
        mine = np.flatnonzero(self._fold.train[positions])
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


def _cohorts(candidates: Sequence[Candidate[DenseHead]], examples: Examples) -> list[_Cohort]:
    together: dict[tuple[int, int, int, bool], list[int]] = defaultdict(list)
    for number, candidate in enumerate(candidates):
        head = candidate.head
        together[candidate.fold, candidate.seed, head.batch_size, head.standardize].append(number)
    scaled = {fold for fold, _, _, standardize in together if standardize}
    scalings = {fold: _scaling(examples, examples.folds[fold]) for fold in scaled}
    width = examples.stream.width
    cohorts = []
    for key, numbers in together.items():
        fold, _, _, standardize = key
        labels = examples.labels[examples.folds[fold].train]
        images_a_class = np.bincount(labels, minlength=examples.classes)
        companies = _companies(candidates, numbers, width, images_a_class)
        cohorts.append(_Cohort(key, examples, scalings[fold] if standardize else {}, companies))
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


def _scaling(examples: Examples, fold: Fold) -> Weights:
    scaler = examples.scaler(fold)
    return {"mean": scaler.mean_.astype(np.float32), "scale": scaler.scale_.astype(np.float32)}
