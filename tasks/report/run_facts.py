"""One run in full, and two runs side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from stores.runs.record import Run, TestOpening
from stores.runs.store import RunStore
from stores.storage.location import StoreLike
from stores.targets import MAIN_FIGURE
from tasks.errors import InputError
from tasks.evaluation.bootstrap import Measured
from tasks.evaluation.comparison import (
    CONFIDENCE,
    Difference,
    Evaluated,
    compare,
    held_out_answers,
    not_same_images,
)
from tasks.evaluation.figure_difference import FigureDifference, figure_difference
from tasks.evaluation.figure_estimates import figure_of
from tasks.evaluation.held_out_scores import scored
from tasks.evaluation.label_result import LabelResult, labels_result
from tasks.evaluation.number_result import number_result
from tasks.evaluation.selection import Selection, selection_of, tried_with
from tasks.evaluation.split_result import ClassResult, evaluate


@dataclass(frozen=True)
class Evaluation:
    """How good a run of classes is on the test split, or else on its held-out images."""

    judged_on: Evaluated
    images: int
    accuracy: float | None
    interval: tuple[float, float]  # of the accuracy, 95%
    selection: Selection
    per_class: tuple[ClassResult, ...]

    def measured(self) -> dict[str, Measured]:
        """Return its figures with their intervals, by their words."""
        return (
            {} if self.accuracy is None else {"accuracy": Measured(self.accuracy, *self.interval)}
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each class."""
        return [
            {"class": one.name, "images": one.images, "recall": one.recall}
            | {"precision": one.precision}
            for one in self.per_class
        ]


@dataclass(frozen=True)
class FigureEvaluation:
    """How good a run for several labels or a number is on test, or on its held-out images."""

    judged_on: Evaluated
    images: int
    figures: dict[str, Measured]  # with their 95% intervals
    selection: Selection
    per_label: tuple[LabelResult, ...]  # none for a number

    def measured(self) -> dict[str, Measured]:
        """Return its figures with their intervals, by their words."""
        words = {"macro_f1": "macro F1", "r2": "R²"}
        named = {name: words.get(name, name.replace("_", " ")) for name in self.figures}
        return {named[name]: found for name, found in self.figures.items()}

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each label."""
        return [
            {"label": one.name, "images": one.images, "average precision": one.average_precision}
            | {"F1": one.f1, "precision": one.precision, "recall": one.recall}
            | {"threshold": one.threshold}
            for one in self.per_label
        ]


@dataclass(frozen=True)
class RunFacts:
    """A run's record, its test evaluations, and how good it is; None where training failed."""

    id: str
    run: Run
    openings: tuple[TestOpening, ...]
    evaluation: Evaluation | FigureEvaluation | None

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


@dataclass(frozen=True)
class ComparedFigure:
    """One of two runs for several labels or a number that are compared."""

    run: str
    head: dict[str, Any]
    folds: int
    value: float


@dataclass(frozen=True, kw_only=True)
class FigureComparison(FigureDifference):
    """How two runs differ by a figure, as `RunComparison`."""

    figure: str
    runs: tuple[ComparedFigure, ...]
    tried: int
    comparisons: int


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
    predictions, selection = runs.predictions(run.id), selection_of(runs, run, split)
    if run.target != "classes":
        return RunFacts(run.id, run, openings, _evaluation(run, predictions, split, selection))
    result = evaluate(predictions, split=split, classes=run.classes, folds=run.folds)
    evaluation = Evaluation(
        judged_on=split,
        images=len(result.keys),
        accuracy=result.accuracy,
        interval=result.interval,
        selection=selection,
        per_class=tuple(result.per_class()),
    )
    return RunFacts(run.id, run, openings, evaluation)


def _evaluation(
    run: Run, predictions: pa.Table, split: Evaluated, selection: Selection
) -> FigureEvaluation:
    if run.target == "labels":
        labels = labels_result(predictions, run, split)
        images, per_label = labels.images, tuple(labels.per_label())
        figures = {"mean_average_precision": labels.mean_average_precision}
        figures |= {"macro_f1": labels.macro_f1}
    else:
        numbers = number_result(predictions, run, split)
        images, per_label = numbers.images, ()
        figures = {
            "mean_absolute_error": numbers.mean_absolute_error,
            "root_mean_squared_error": numbers.root_mean_squared_error,
            "r2": numbers.r2,
        }
    known = {name: found for name, found in figures.items() if found}
    return FigureEvaluation(split, len(images.keys), known, selection, per_label)


def compared(
    store: StoreLike, first: str, second: str, *, comparisons: int | None = None
) -> RunComparison | FigureComparison:
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
    tried = tried_with(runs, both[0])
    family = max(1, tried * (tried - 1) // 2 if comparisons is None else comparisons)
    if {run.target for run in both} != {"classes"}:
        return _by_figure(runs, both, tried=tried, comparisons=family)
    answers = held_out_answers(runs, both)
    accuracies = answers.right.mean(axis=1).tolist()
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


def _by_figure(
    runs: RunStore, both: Sequence[Run], *, tried: int, comparisons: int
) -> FigureComparison:
    first, second = (
        scored(
            runs.predictions(run.id), split="validation", outputs=len(run.classes), folds=run.folds
        )
        for run in both
    )
    target = both[0].target
    same = both[1].target == target and np.array_equal(first.keys, second.keys)
    if not same or not np.array_equal(first.truth, second.truth):
        raise not_same_images(both[1], both[0])
    found = figure_difference(first, second, target, comparisons=comparisons)
    if found is None:
        raise InputError(
            f"run {both[0].id[:16]}: expected at least 2 held-out images, or groups, to compare by"
        )
    values = [figure_of(images, target) for images in (first, second)]
    return FigureComparison(
        **vars(found),
        figure=MAIN_FIGURE[target].name,
        runs=tuple(
            ComparedFigure(run.id, run.head, run.folds, value)
            for run, value in zip(both, values, strict=True)
        ),
        tried=tried,
        comparisons=comparisons,
    )
