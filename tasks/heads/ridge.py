"""Ridge regression to classes, labels or a number: all penalties from one eigendecomposition."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from tasks.datasets.folds import Fold
from tasks.heads import Candidate, Kind, Outcome
from tasks.heads.examples import Examples, flat
from tasks.heads.linear_head import TrainedLinear, load_linear
from tasks.heads.setting_types import Penalty

Values = NDArray[np.float64]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class RidgeHead:
    """Least squares with an L2 penalty.

    The targets are +1 for an image's class or labels and -1 for the others, or the number itself.
    """

    penalty: Penalty = 100.0  # scikit-learn's alpha
    standardize: bool = True
    kind: Literal["ridge"] = "ridge"


def _train(candidates: Sequence[Candidate[RidgeHead]], examples: Examples) -> list[Outcome]:
    """Decompose the features of each fold once, and solve for each penalty."""
    outcomes: dict[int, Outcome] = {}
    groups: dict[tuple[int, bool], dict[int, RidgeHead]] = defaultdict(dict)
    for number, candidate in enumerate(candidates):
        groups[candidate.fold, candidate.head.standardize][number] = candidate.head
    for (fold, standardize), heads in groups.items():
        path = _Path(examples, examples.folds[fold], standardize=standardize)
        outcomes |= {number: path.solve(head.penalty) for number, head in heads.items()}
    return [outcomes[number] for number in range(len(candidates))]


class _Path:
    """The solutions for all penalties, from one eigendecomposition.

    With centred features X, targets Y and XᵀX = V·diag(λ)·Vᵀ, the kernel for a penalty α is
    V·diag(1/(λ+α))·Vᵀ·XᵀY (Hoerl and Kennard, Ridge regression, Technometrics 12, 1970). With
    fewer examples than features, XXᵀ = U·diag(λ)·Uᵀ is smaller, and the same kernel is
    XᵀU·diag(1/(λ+α))·UᵀY.
    """

    def __init__(self, examples: Examples, fold: Fold, *, standardize: bool) -> None:
        from scipy.linalg import eigh

        self._mean, self._scale = examples.scaling(fold, standardize=standardize)
        targets, self._base = _centred_targets(examples, fold)
        width = len(self._mean)
        if np.count_nonzero(fold.train) < width:
            rows = np.concatenate([rows for _, rows in self._scaled(examples, fold)])
            self._values, vectors = eigh(rows @ rows.T, overwrite_a=True)
            self._basis, self._turned = rows.T @ vectors, vectors.T @ targets[fold.train]
            return
        gram, product = np.zeros((width, width)), np.zeros((width, targets.shape[1]))
        for positions, rows in self._scaled(examples, fold):
            gram += rows.T @ rows
            product += rows.T @ targets[positions]
        self._values, self._basis = eigh(gram, overwrite_a=True)
        self._turned = self._basis.T @ product

    def solve(self, penalty: float) -> TrainedLinear:
        """Return the head for one penalty; for 0, the least-norm solution."""
        values = np.maximum(self._values, 0.0)
        nonzero = values > len(values) * np.finfo(np.float64).eps * values.max()
        shares = np.divide(1.0, values + penalty, out=np.zeros_like(values), where=nonzero)
        kernel = self._basis @ (shares[:, np.newaxis] * self._turned)
        kernel /= self._scale[:, np.newaxis]
        bias = self._base - self._mean @ kernel
        return TrainedLinear(kernel.astype(np.float32), bias.astype(np.float32))

    def _scaled(self, examples: Examples, fold: Fold) -> Iterator[tuple[NDArray[np.int64], Values]]:
        for positions, rows in examples.stream.ordered(fold.train):
            yield positions, (flat(rows) - self._mean) / self._scale


def _centred_targets(examples: Examples, fold: Fold) -> tuple[Values, Values]:
    """Return the targets (n, outputs) without their mean on the train examples, and the mean."""
    if examples.target == "number":
        numbers = np.asarray(examples.labels, np.float64)[:, np.newaxis]
        mean = numbers[fold.train].mean(axis=0)
        return numbers - mean, mean
    one_hot = examples.target == "classes"
    is_one = np.eye(examples.classes)[examples.labels] if one_hot else examples.labels
    mean = 2 * is_one[fold.train].mean(axis=0) - 1
    return 2 * is_one - 1 - mean, mean


def _group_size(_head: RidgeHead, _width: int, _classes: int) -> int:
    return 10_000  # the eigendecomposition is done once for all of them


KIND = Kind(
    RidgeHead,
    _train,
    load_linear,
    scores="margin",
    targets=("classes", "labels", "number"),
    group_size=_group_size,
)
