"""One run in full, and two runs side by side."""

from dataclasses import dataclass
from typing import Any

from stores.runs.record import Run, TestOpening
from stores.runs.store import RunStore
from stores.storage.location import StoreLike
from tasks.errors import InputError
from tasks.evaluation.comparison import (
    CONFIDENCE,
    Difference,
    Evaluated,
    compare,
    held_out_answers,
)
from tasks.evaluation.selection import Selection, selection_of, tried_with
from tasks.evaluation.split_result import ClassResult, evaluate


@dataclass(frozen=True)
class Evaluation:
    """How good a run is on the test split, or else on its held-out images."""

    judged_on: Evaluated
    images: int
    accuracy: float | None
    interval: tuple[float, float]  # of the accuracy, 95%
    selection: Selection
    per_class: tuple[ClassResult, ...]


@dataclass(frozen=True)
class RunFacts:
    """A run's record, its test evaluations, and how good it is; None where training failed."""

    id: str
    run: Run
    openings: tuple[TestOpening, ...]
    evaluation: Evaluation | None

    def json_fields(self) -> dict[str, Any]:
        """Return what JSON has of it: the record and the evaluation, each value by its name."""
        evaluation = vars(self.evaluation) if self.evaluation else {}
        return {"id": self.id, **vars(self.run), "openings": self.openings, **evaluation}


@dataclass(frozen=True)
class ComparedRun:
    """One of two runs that are compared."""

    run: str
    head: dict[str, Any]
    folds: int
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class RunComparison(Difference):
    """How two runs differ on the images that both were measured on, one comparison of several."""

    runs: tuple[ComparedRun, ...]
    tried: int  # runs on these images
    comparisons: int  # for which the following are corrected
    corrected_p_value: float
    corrected_low: float
    corrected_high: float


def run_facts(store: StoreLike, name: str) -> RunFacts:
    """Return one run in full."""
    runs = RunStore(store)
    run = runs.read(name)
    openings = tuple(runs.openings(run.id))
    if run.failure:
        return RunFacts(run.id, run, openings, None)
    split: Evaluated = "test" if openings else "validation"
    result = evaluate(runs.predictions(run.id), split=split, classes=run.classes, folds=run.folds)
    evaluation = Evaluation(
        judged_on=split,
        images=len(result.keys),
        accuracy=result.accuracy,
        interval=result.interval,
        selection=selection_of(runs, run, split),
        per_class=tuple(result.per_class()),
    )
    return RunFacts(run.id, run, openings, evaluation)


def compared(
    store: StoreLike, first: str, second: str, *, comparisons: int | None = None
) -> RunComparison:
    """Return how two runs differ on the images that both were measured on.

    Two runs of many may have been picked for how they differ. So the p-value and the interval are
    given for all comparisons at once too, by Bonferroni's inequality (O. J. Dunn, Multiple
    comparisons among means, Journal of the American Statistical Association 56 (1961), 52-64):
    without a number of `comparisons`, for all pairs of the runs that were tried on these images.
    """
    runs = RunStore(store)
    both = [runs.read(first), runs.read(second)]
    for run in both:
        if run.failure:
            raise InputError(f"run {run.id[:16]} has no model: {run.failure}")
    answers = held_out_answers(runs, both)
    accuracies = answers.right.mean(axis=1).tolist()
    tried = tried_with(runs, both[0])
    family = max(1, tried * (tried - 1) // 2 if comparisons is None else comparisons)
    difference = compare(answers)
    at_once = compare(answers, confidence=1 - (1 - CONFIDENCE) / family)
    return RunComparison(
        **vars(difference),
        runs=tuple(
            ComparedRun(run.id, run.head, run.folds, accuracy)
            for run, accuracy in zip(both, accuracies, strict=True)
        ),
        tried=tried,
        comparisons=family,
        corrected_p_value=min(1.0, family * difference.p_value),
        corrected_low=at_once.low,
        corrected_high=at_once.high,
    )
