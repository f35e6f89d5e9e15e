"""What mistakes cost, and the class with the least expected cost."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stores.targets import Target
from tasks.errors import InputError
from tasks.evaluation.split_result import SplitResult

# Of two classes the second is the positive one, as in scikit-learn.
_OF_TWO = {"false-negative": 1, "false-positive": 0}


@dataclass(frozen=True)
class Costs:
    """What it costs to miss an image of each class: to predict another class for it."""

    classes: tuple[str, ...]
    missed: tuple[float, ...]

    @property
    def threshold(self) -> float | None:
        """The probability of the second of two classes from which it is predicted, else None.

        C. Elkan, The Foundations of Cost-Sensitive Learning, IJCAI 2001, equation 2.
        """
        return self.missed[0] / sum(self.missed) if len(self.classes) == 2 else None

    def decide(self, probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the class with the least expected cost, (n,), by probabilities (n, classes).

        A prediction of class k is expected to cost the sum of p·missed over the other classes, so
        that p·missed of class k is largest where the cost is least.
        """
        return np.asarray((probabilities * np.array(self.missed)).argmax(axis=1))

    def mean(self, true: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
        """Return what predictions cost an image."""
        return float((np.array(self.missed)[true] * (true != predicted)).mean())


@dataclass(frozen=True)
class Decided:
    """How images are decided by one rule: what it costs, and what it finds of each class."""

    cost: float  # the mean of an image
    accuracy: float
    recalls: tuple[float | None, ...]  # by class; None without an image


@dataclass(frozen=True)
class CostResult:
    """Images of a split, decided for the most probable class and for the least expected cost."""

    costs: Costs
    most_probable: Decided
    least_cost: Decided
    changed: int  # images that are decided otherwise


def costs_of(
    given: Sequence[str], classes: Sequence[str], target: Target = "classes"
) -> Costs | None:
    """Return the costs in texts such as `melanoma=5`, or None where there is no text.

    A class that is not named costs 1. Of two classes, `false-negative=5` is the cost of missing the
    second one, `false-positive=5` of missing the first. Raises InputError for another name, for
    what is no positive number, and for another target than classes.
    """
    if not given:
        return None
    if target != "classes":
        raise InputError(f"--cost {given[0]}: expected images of one class each, found {target}")
    missed = dict.fromkeys(classes, 1.0)
    named = set[str]()
    for text in given:
        name, _, number = text.rpartition("=")
        if name not in missed and len(classes) == 2 and name in _OF_TWO:
            name = classes[_OF_TWO[name]]
        if name not in missed:
            also = f", {', '.join(_OF_TWO)}" if len(classes) == 2 else ""
            some = ", ".join(classes[:20]) + (", …" if len(classes) > 20 else "")
            raise InputError(f"--cost {text}: expected CLASS=NUMBER, with a class of {some}{also}")
        if name in named:
            raise InputError(f"--cost {text}: the cost of {name!r} is given twice")
        named.add(name)
        missed[name] = _positive(text, number)
    return Costs(tuple(classes), tuple(missed.values()))


def cost_result(costs: Costs, result: SplitResult) -> CostResult | None:
    """Return what costs change for images with calibrated probabilities as their scores."""
    if not len(result.keys):
        return None
    likely, least = result.scores.argmax(axis=1), costs.decide(result.scores)
    return CostResult(
        costs,
        _decided(costs, result.true, likely),
        _decided(costs, result.true, least),
        int((likely != least).sum()),
    )


def _decided(costs: Costs, true: NDArray[np.int64], predicted: NDArray[np.int64]) -> Decided:
    right = true == predicted
    mine = [true == n for n in range(len(costs.classes))]
    recalls = tuple(float(right[some].mean()) if some.any() else None for some in mine)
    return Decided(costs.mean(true, predicted), float(right.mean()), recalls)


def _positive(text: str, number: str) -> float:
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise InputError(f"--cost {text}: expected a positive number. Received: {number!r}")
    return value
