"""The one-pass trainer: all dense heads share one stream of features, read once per epoch."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.execution.cancellation import stop_if_requested
from tasks.heads import Candidate
from tasks.heads.dense.head_group import STOPPING, VALIDATION, HeadGroup, Outcome
from tasks.heads.dense.specification import DenseHead, units_of
from tasks.heads.dense.stacked_networks import Architecture, Weights
from tasks.heads.examples import Examples, Positions, flat


def train_heads(candidates: Sequence[Candidate[DenseHead]], examples: Examples) -> list[Outcome]:
    """Train heads, each as if it were alone, and return the outcome of each.

    The seed decides a head's initial weights, its dropout, and the order of the examples in a
    chunk. The order of the chunks depends on the epoch only. Raises StoppedEarly if the training is
    cancelled.
    """
    feeds = _batch_feeds(candidates, examples)
    training, epoch = list(feeds), 0
    while training:
        for chunk, (positions, rows) in enumerate(examples.stream.shuffled(epoch)):
            for feed in training:
                feed.learn(positions, flat(rows), draw=(epoch, chunk))
                stop_if_requested()
        for feed in training:
            feed.learn_rest()
        _evaluate(training, examples)
        training = [feed for feed in training if not feed.end_epoch()]
        epoch += 1
    outcomes = dict(pair for feed in feeds for pair in feed.outcomes())
    return [outcomes[number] for number in range(len(candidates))]


def _evaluate(training: "Sequence[_BatchFeed]", examples: Examples) -> None:
    """Evaluate all heads on the held-out examples of their fold."""
    folds = examples.folds
    parts = {VALIDATION: [fold.validation for fold in folds]}
    if any(STOPPING in feed.held_out for feed in training):
        parts[STOPPING] = [fold.stopping for fold in folds if fold.stopping is not None]
    for prefix, chosen in parts.items():
        held_out = np.logical_or.reduce(chosen)
        if held_out.any():
            for positions, rows in examples.stream.ordered(held_out):
                for feed in training:
                    feed.measure(prefix, positions, flat(rows))


def architecture_of(head: DenseHead, inputs: int, outputs: int) -> Architecture:
    """Return the shape of a head's network."""
    return Architecture(inputs, head.hidden_units, outputs, head.activation, head.batch_norm)


class _BatchFeed:
    """Head groups that are trained on the same batches: one fold, seed, batch size and so on."""

    def __init__(
        self,
        key: "_Key",
        examples: Examples,
        scaling: Weights,
        groups: list[tuple[list[int], HeadGroup]],  # with the numbers of their candidates
    ) -> None:
        self._seed, self._size = key.seed, key.batch_size
        fold = examples.folds[key.fold]
        self._learned = fold.learned(stops=key.stops)
        self.held_out = {VALIDATION: fold.validation}  # by the prefix of their metrics
        if key.stops and fold.stopping is not None and fold.stopping.any():
            self.held_out[STOPPING] = fold.stopping
        self._truths, self._scaling, self._groups = examples.labels, scaling, groups
        self._training = [group for _, group in groups]
        self._positions = np.empty(0, np.int64)  # of a batch that is not full yet
        self._rows = np.empty((0, 0), np.float32)

    def learn(
        self, positions: Positions, rows: NDArray[np.float32], *, draw: tuple[int, int]
    ) -> None:
        """Add examples, shuffled by seed and `draw`, and train on each full batch."""
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
        """Train on the remaining examples at the end of an epoch: a smaller batch."""
        self._learn(self._positions, self._rows)
        self._positions = self._positions[:0]

    def measure(self, prefix: str, positions: Positions, rows: NDArray[np.float32]) -> None:
        """Evaluate the heads on those of some examples that are held out for these metrics."""
        if prefix not in self.held_out:
            return
        mine = self.held_out[prefix][positions]
        if mine.any():
            rows, truths = self._scaled(rows[mine]), self._truths[positions[mine]]
            for group in self._training:
                group.measure(prefix, rows, truths)

    def end_epoch(self) -> bool:
        """Remove the heads that are finished; return whether all are."""
        for group in self._training:
            group.end_epoch()
        self._training = [group for group in self._training if not group.is_done]
        return not self._training

    def outcomes(self) -> Iterator[tuple[int, Outcome]]:
        """Yield each candidate's number and outcome."""
        for numbers, group in self._groups:
            for number, outcome in zip(numbers, group.outcomes, strict=True):
                weights = outcome.weights and outcome.weights | self._scaling
                yield number, replace(outcome, weights=weights)

    def _learn(self, positions: Positions, rows: NDArray[np.float32]) -> None:
        truths = self._truths[positions]
        for group in self._training:
            for start in range(0, len(rows), self._size):
                batch = slice(start, start + self._size)
                group.step(rows[batch], truths[batch])

    def _scaled(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        if not self._scaling:
            return rows
        return np.asarray((rows - self._scaling["mean"]) / self._scaling["scale"])


class _Key(NamedTuple):
    """The properties of candidates that are trained on the same batches."""

    fold: int
    seed: int
    batch_size: int
    standardize: bool
    stops: bool  # has a patience, and examples held out for early stopping


def _key(candidate: Candidate[DenseHead]) -> _Key:
    head, stops = candidate.head, candidate.head.patience is not None and not candidate.epochs
    return _Key(candidate.fold, candidate.seed, head.batch_size, head.standardize, stops)


def _batch_feeds(
    candidates: Sequence[Candidate[DenseHead]], examples: Examples
) -> list[_BatchFeed]:
    by_key: dict[_Key, list[int]] = defaultdict(list)
    for number, candidate in enumerate(candidates):
        by_key[_key(candidate)].append(number)
    scaled = {(key.fold, key.stops) for key in by_key if key.standardize}
    scalings = {(fold, stops): _scaling(examples, fold, stops=stops) for fold, stops in scaled}
    feeds = []
    for key, numbers in by_key.items():
        groups = _head_groups(candidates, numbers, key, examples)
        scaling = scalings[key.fold, key.stops] if key.standardize else {}
        feeds.append(_BatchFeed(key, examples, scaling, groups))
    return feeds


def _head_groups(
    candidates: Sequence[Candidate[DenseHead]],
    numbers: Sequence[int],
    key: _Key,
    examples: Examples,
) -> list[tuple[list[int], HeadGroup]]:
    truths = examples.labels[examples.folds[key.fold].learned(stops=key.stops)]
    alike: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for number in numbers:
        head = candidates[number].head
        outputs = units_of(head, examples.classes)
        architecture = architecture_of(head, examples.stream.width, outputs)
        alike[architecture, candidates[number].seed, head.dropout, head.optimizer].append(number)
    return [
        (
            members,
            HeadGroup(
                [candidates[number].head for number in members],
                [candidates[number].epochs for number in members],
                seed=seed,
                architecture=architecture,
                truths=truths,
            ),
        )
        for (architecture, seed, _, _), members in alike.items()
    ]


def _scaling(examples: Examples, fold: int, *, stops: bool) -> Weights:
    mean, scale = examples.scaling(examples.folds[fold], stops=stops)
    return {"mean": mean.astype(np.float32), "scale": scale.astype(np.float32)}
