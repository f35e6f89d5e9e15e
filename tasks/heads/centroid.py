"""The nearest class mean."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from tasks.heads import Candidate, Failed, Kind, Outcome
from tasks.heads.examples import Examples, flat
from tasks.heads.linear_head import TrainedLinear, load_linear


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class CentroidHead:
    """The class whose mean is nearest."""

    standardize: bool = True
    kind: Literal["centroid"] = "centroid"


def _train(candidates: Sequence[Candidate[CentroidHead]], examples: Examples) -> list[Outcome]:
    return [_fit(candidate, examples) for candidate in candidates]


def _fit(candidate: Candidate[CentroidHead], examples: Examples) -> Outcome:
    """Fit -|x-m|² for class means m, as the linear form 2·x·m - |m|² without the common |x|²."""
    fold = examples.folds[candidate.fold]
    mean, scale = examples.scaling(fold, standardize=candidate.head.standardize)
    means = np.zeros((len(scale), examples.classes))
    counts = np.bincount(examples.labels[fold.train], minlength=examples.classes)
    if np.count_nonzero(counts) < 2:
        return Failed("the train examples have only one class; add images")
    for positions, rows in examples.stream.ordered(fold.train):
        scaled = (flat(rows) - mean) / scale
        means += scaled.T @ np.eye(examples.classes)[examples.labels[positions]]
    means /= np.maximum(counts, 1)
    kernel = 2 * means / scale[:, np.newaxis]
    bias = -np.square(means).sum(axis=0) - mean @ kernel
    bias[counts == 0] = -np.inf  # a class without an example is never predicted
    return TrainedLinear(kernel.astype(np.float32), bias.astype(np.float32))


KIND = Kind(CentroidHead, _train, load_linear, scores="margin")
