"""What the report says of the chosen run's results: accuracy, grid, mistakes, suspect labels."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from stores.keys import ImageKey, as_arrow, as_keys
from stores.manifest import Manifest
from stores.runs.record import Run
from stores.runs.store import RunStore
from stores.storage.location import Location
from tasks.datasets.splits import majority_baseline
from tasks.evaluation.calibrated import Honest, honest, score_kind
from tasks.evaluation.comparison import Evaluated
from tasks.evaluation.costs import Costs, cost_result
from tasks.evaluation.majority_baseline import remedy
from tasks.evaluation.metrics import by_class
from tasks.evaluation.selection import selection_of
from tasks.evaluation.split_result import SplitResult, differences, evaluate
from tasks.evaluation.suspect_labels import suspects, suspects_csv
from tasks.report.shown_paths import paths_of
from tasks.report.sweep_sections import reliability_curves

GRID_IMAGES = 9  # as in the TensorFlow transfer-learning tutorial
MOST_MISTAKES = 60
MOST_SUSPECTS = 12


@dataclass(frozen=True)
class Shot:
    """An image with its prediction: a cell of the grid, or of the mistakes."""

    path: str
    src: str
    true: str
    predicted: str
    probability: float
    true_probability: float


def results_of(
    run: Run, manifest: Manifest, runs: RunStore, place: Location, costs: Costs | None = None
) -> dict[str, Any]:
    """Return the run's results, on test where that was evaluated, else on validation."""
    from tasks.report.ranking_charts import ranking_curves

    openings, predictions = runs.openings(run.id), runs.predictions(run.id)
    split: Evaluated = "test" if openings else "validation"
    result = evaluate(predictions, split=split, classes=run.classes, folds=run.folds)
    sizes = manifest.counts()
    largest, _ = majority_baseline(sizes)
    held = evaluate(predictions, split="validation", classes=run.classes, folds=run.folds)
    kind = score_kind(run)
    found = honest(result, held, kind) if len(result.keys) else None
    if found:
        result = replace(result, scores=found.probabilities)
    images = manifest.select()
    grid, mistakes = np.arange(min(GRID_IMAGES, len(result.keys))), result.mistakes()
    shown = np.concatenate([grid, mistakes[:MOST_MISTAKES]])
    paths = paths_of(images, result.keys[shown])
    shot = partial(_shot, result, Path(manifest.folder), paths)
    return {
        "calibration": found,
        "by_cost": cost_result(costs, result) if costs and found else None,
        "score_kind": kind,
        "rankings": ranking_curves(result),
        "reliability": reliability_curves(found) if found else [],
        "result": result,
        "openings": openings,
        "interval": result.interval,
        "headline": selection_of(runs, run, split),
        "sizes": sizes,
        "largest": largest,
        "smallest": min(sizes, key=lambda name: sizes[name]["train"]),
        "baseline": result.baseline(largest),
        "by_class": by_class(result.predicted, result.true),
        "remedy": remedy(run, result.baseline(largest) or 0.0),
        "differences": differences(predictions, manifest),
        "grid": [shot(n) for n in grid.tolist()],
        "mistakes": [shot(n) for n in mistakes[:MOST_MISTAKES].tolist()],
        **_suspects(held, found if split == "validation" else None, run, manifest, place),
    }


def _suspects(
    held_out: SplitResult, known: Honest | None, run: Run, manifest: Manifest, report: Location
) -> dict[str, Any]:
    """Return the suspect labels, and publish a table of all of them beside the report.

    `known` are the probabilities of these images, where they were found before.
    """
    found, images = suspects(held_out), manifest.select()
    paths = paths_of(images, as_keys(one.key for one in found))
    shown = as_keys(one.key for one in found[:MOST_SUSPECTS])
    places = pc.index_in(as_arrow(shown), as_arrow(held_out.keys)).to_pylist()
    table = report.parent / f"{report.path.stem}.suspect-labels.csv"
    table.publish(suspects_csv(found, paths), tmp=report.parent / "tmp")
    if found:
        known = known or honest(held_out, held_out, score_kind(run))
        held_out = replace(held_out, scores=known.probabilities)
    shot = partial(_shot, held_out, Path(manifest.folder), paths)
    return {
        "suspects": [shot(n) for n in places],
        "suspects_found": len(found),
        "likely_errors": sum(one.likely for one in found),
        "held_out_images": len(held_out.keys),
        "suspects_table": table.name,
    }


def _shot(result: SplitResult, folder: Path, paths: dict[bytes, str], n: int) -> Shot:
    from tasks.images.thumbnails import placeholder, thumbnail

    key = ImageKey(result.keys[n].tobytes())
    path = paths.get(key, "")
    return Shot(
        path=path,
        src=thumbnail(folder / path, key) if path else placeholder("not listed"),
        true=result.classes[result.true[n]],
        predicted=result.classes[result.predicted[n]],
        probability=float(result.scores[n, result.predicted[n]]),
        true_probability=float(result.scores[n, result.true[n]]),
    )
