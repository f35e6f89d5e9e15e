"""What the report says of the results of a run for several labels or a number."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from stores.keys import ImageKey, Keys
from stores.manifest import SPLITS, Manifest
from stores.runs.record import Run
from stores.runs.store import RunStore
from tasks.errors import InputError
from tasks.evaluation.comparison import Evaluated
from tasks.evaluation.figure_baseline import figure_baseline, figure_verdict
from tasks.evaluation.figure_estimates import FigureEstimate
from tasks.evaluation.held_out_scores import scored
from tasks.evaluation.label_result import LabelsResult, labels_result, names_of
from tasks.evaluation.number_intervals import (
    IntervalCoverage,
    IntervalRule,
    interval_coverage,
    interval_rule,
    residuals_of,
)
from tasks.evaluation.number_result import NumberResult, number_result, one_answer
from tasks.evaluation.selection import selection_of
from tasks.evaluation.split_result import differences
from tasks.report.shown_paths import paths_of

GRID_IMAGES = 9
MOST_MISTAKES = 24
COVERAGE = 0.9


@dataclass(frozen=True)
class TargetShot:
    """An image with its labels, or its number, and the predicted ones."""

    path: str
    src: str
    true: str
    predicted: str
    right: bool
    missing: tuple[str, ...] = ()  # labels
    wrong: tuple[str, ...] = ()
    error: float | None = None  # of a number


@dataclass(frozen=True)
class Intervals:
    """Intervals around predicted numbers, and how often they hold the true one on test."""

    rule: IntervalRule | None
    measured: IntervalCoverage | None
    why_not: str  # there are none; '' where there are


@dataclass(frozen=True)
class NumberRow:
    """The numbers of one split."""

    split: str
    images: int
    least: float
    median: float
    mean: float
    most: float


def target_results_of(run: Run, manifest: Manifest, runs: RunStore) -> dict[str, Any]:
    """Return the run's results, on test where that was evaluated, else on validation."""
    openings, predictions = runs.openings(run.id), runs.predictions(run.id)
    split: Evaluated = "test" if openings else "validation"
    headline = selection_of(runs, run, split)
    baseline = figure_baseline(predictions, run, manifest, split)
    verdict = None
    if baseline and isinstance(headline.estimate, FigureEstimate):
        verdict = figure_verdict(headline.estimate, baseline)
    shared = {
        "openings": openings,
        "headline": headline,
        "baseline": baseline,
        "verdict": verdict,
        "sizes": manifest.counts(),
        "differences": differences(predictions, manifest, run.classes),
    }
    if run.target == "labels":
        return shared | _of_labels(labels_result(predictions, run, split), manifest)
    return shared | _of_number(run, manifest, predictions, split)


def _of_labels(result: LabelsResult, manifest: Manifest) -> dict[str, Any]:
    from tasks.report.ranking_charts import label_curves

    mistakes = result.mistakes()
    grid = range(min(GRID_IMAGES, len(result.keys)))
    places = [*grid, *(one.place for one in mistakes[:MOST_MISTAKES])]
    shots = _label_shots(result, manifest, places)
    unlabelled = {
        split: int((~manifest.select(split).labels.any(axis=1)).sum()) for split in SPLITS
    }
    return {
        "result": result,
        "own": result.mean_average_precision,
        "per_label": result.per_label(),
        "unlabelled": unlabelled,
        "rankings": label_curves(result),
        "grid": shots[: len(grid)],
        "mistakes": shots[len(grid) :],
        "wrong": len(mistakes),
    }


def _label_shots(
    result: LabelsResult, manifest: Manifest, places: Sequence[int]
) -> list[TargetShot]:
    has, given = result.images.truth == 1, result.predicted
    return [
        TargetShot(
            *shown,
            true=", ".join(names_of(has[n], result.labels)),
            predicted=", ".join(names_of(given[n], result.labels)),
            right=bool((has[n] == given[n]).all()),
            missing=names_of(has[n] & ~given[n], result.labels),
            wrong=names_of(given[n] & ~has[n], result.labels),
        )
        for n, shown in zip(places, _pictures(result.keys, manifest, places), strict=True)
    ]


def _of_number(
    run: Run, manifest: Manifest, predictions: pa.Table, split: Evaluated
) -> dict[str, Any]:
    from tasks.report.number_charts import error_histogram, number_histogram, scatter

    result = number_result(predictions, run, split)
    intervals = _intervals(run, predictions, result)
    grid = range(min(GRID_IMAGES, len(result.keys)))
    places = [*grid, *result.largest_errors()[:MOST_MISTAKES].tolist()]
    shots = _number_shots(result, manifest, places)
    half_width = intervals.rule.half_width if intervals.rule else None
    return {
        "result": result,
        "own": result.mean_absolute_error,
        "one_answer": one_answer(result, manifest),
        "intervals": intervals,
        "charts": [scatter(result, half_width), error_histogram(result)] if places else [],
        "numbers": number_histogram(manifest),
        "number_rows": _number_rows(manifest),
        "grid": shots[: len(grid)],
        "mistakes": shots[len(grid) :],
    }


def _intervals(run: Run, predictions: pa.Table, result: NumberResult) -> Intervals:
    held = scored(predictions, split="validation", outputs=1, folds=run.folds)
    try:
        rule = interval_rule(residuals_of(held.scores, held.truth, held.groups), COVERAGE)
    except InputError as error:
        return Intervals(None, None, str(error).removeprefix("--coverage "))
    if result.split != "test":
        return Intervals(rule, None, "")
    shown = result.images
    return Intervals(rule, interval_coverage(rule, shown.scores, shown.truth, shown.groups), "")


def _number_rows(manifest: Manifest) -> list[NumberRow]:
    numbers = {split: manifest.select(split).labels for split in SPLITS}
    return [
        NumberRow(
            split,
            len(own),
            float(own.min()),
            float(np.median(own)),
            float(own.mean()),
            float(own.max()),
        )
        for split, own in numbers.items()
        if len(own)
    ]


def _number_shots(
    result: NumberResult, manifest: Manifest, places: Sequence[int]
) -> list[TargetShot]:
    return [
        TargetShot(
            *shown,
            true=f"{result.true[n]:g}",
            predicted=f"{result.predicted[n]:.4g}",
            right=True,
            error=float(result.errors[n]),
        )
        for n, shown in zip(places, _pictures(result.keys, manifest, places), strict=True)
    ]


def _pictures(keys: Keys, manifest: Manifest, places: Sequence[int]) -> list[tuple[str, str]]:
    """Return the path and the picture of some images."""
    from tasks.images.thumbnails import placeholder, thumbnail

    paths, folder = paths_of(manifest.select(), keys[list(places)]), Path(manifest.folder)
    found = []
    for n in places:
        key = ImageKey(keys[n].tobytes())
        path = paths.get(key, "")
        src = thumbnail(folder / path, key) if path else placeholder("not listed")
        found.append((path, src))
    return found
