"""The report: one HTML file on a data set, its features, its heads and the chosen one's results."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stores.dataset_summary import by_reason
from stores.keys import ImageKey, Keys, as_arrow, as_keys, from_arrow, is_repeated
from stores.layout import locate
from stores.manifest import Images, Manifest
from stores.runs.record import Run
from stores.runs.store import RunStore
from stores.storage.location import Location, StoreLike
from tasks.datasets.label_table import labels_csv
from tasks.datasets.split_file import split_csv
from tasks.datasets.splits import majority_baseline
from tasks.evaluation.calibrated import honest, score_kind
from tasks.evaluation.calibration import ScoreKind
from tasks.evaluation.comparison import Evaluated
from tasks.evaluation.duplicate_search import find_near_duplicates, shown_pairs, summary_of
from tasks.evaluation.majority_baseline import remedy
from tasks.evaluation.metrics import by_class
from tasks.evaluation.near_duplicates import NearDuplicates
from tasks.evaluation.selection import selection_of
from tasks.evaluation.split_result import SplitResult, differences, evaluate
from tasks.evaluation.suspect_labels import suspects, suspects_csv
from tasks.execution.steps import task
from tasks.features.accounting import ExtractSummary
from tasks.finetune.specification import head_settings, in_words
from tasks.report.heads_summary import HeadsSummary, summarize_heads
from tasks.report.sweep_sections import (
    MOST_SWEPT,
    comparable_runs,
    curves_of,
    map_of,
    recipe_labels,
    reliability_curves,
    swept_charts,
)
from tasks.report.templating import render
from tasks.training.repeat_commands import Kept, SweepCall, to_repeat, to_repeat_sweep

GRID_IMAGES = 9  # as in the TensorFlow transfer-learning tutorial
MOST_MISTAKES = 12
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


def write_report(
    *,
    store: StoreLike,
    manifest: Manifest,
    extraction: ExtractSummary,
    runs: Sequence[str],
    chosen: str,
    survey: bool = False,
    duplicates: NearDuplicates | None = None,
    swept: SweepCall | None = None,
) -> Path:
    """Publish the report on one chosen run among its candidates, and return where it lies.

    Beside it lies a table of the suspect labels. With `survey` it shows a map of the images too,
    which takes some seconds. `duplicates` are those of the chosen run's splits or folds; without
    them they are searched for. `swept` is how the sweep was called that trained all these runs.

    Where the chosen run has no test evaluation, the report is about validation and says so. Raises
    NotInStore, CorruptStore, StoreReadOnly or StoreFull.
    """
    stored = RunStore(store)
    run = stored.read(chosen)
    candidates = {one.id: one for one in map(stored.read, [*runs, run.id])}
    heads = summarize_heads(stored, manifest, list(candidates.values()), run)
    place = report_place(store, manifest, run.id)
    if duplicates is None:
        duplicates = find_near_duplicates(manifest, run, store=store)
    recipes = extraction.recipes
    content = render(
        "report.html.jinja",
        run=run,
        manifest=manifest,
        extraction=extraction,
        recipes=sorted(recipes, key=lambda recipe: recipe.fingerprint != run.fingerprint),
        recipe_labels=recipe_labels(recipes),
        testable=bool(len(manifest.select("test").keys)),
        finetuning_in_words=in_words(run.finetuning) if run.finetuning else "",
        head=head_settings(run.head, run.finetuning),
        heads=heads,
        test_evaluations={one: len(stored.openings(one)) for one in candidates},
        commands=_commands(
            run, [candidates[h.run] for h in heads.best_first], manifest, store, swept
        ),
        **_left_out(manifest, extraction),
        survey=map_of(manifest, run, store) if survey else None,
        near_duplicates=summary_of(duplicates, manifest),
        near_duplicate_pairs=shown_pairs(duplicates, manifest, run),
        **_results(run, manifest, stored, place),
        **_charts(run, heads, list(candidates.values()), stored),
    )
    place.publish(content, tmp=place.parent / "tmp")
    return place.path


# Made anew each time: what it shows of files and of other runs changes without its inputs.
report_task = task(name="report", task_run_name="report on {chosen:.16}")(write_report)


def report_place(store: StoreLike, manifest: Manifest, chosen: str) -> Location:
    """Return where the report on a run of a data set lies."""
    # A file's name takes 255 bytes; a data set's name may come near that.
    name = manifest.name.encode()[:200].decode(errors="ignore")
    return locate(store) / "reports" / f"{name}-{chosen[:16]}.html"


def _results(run: Run, manifest: Manifest, runs: RunStore, place: Location) -> dict[str, Any]:
    """Return the run's results, on test where that was evaluated, else on validation."""
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
    paths = _paths(images, result.keys[shown])
    shot = partial(_shot, result, Path(manifest.folder), paths)
    return {
        "calibration": found,
        "score_kind": kind,
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
        **_suspects(held, kind, manifest, images, place),
    }


def _suspects(
    held_out: SplitResult, kind: ScoreKind, manifest: Manifest, images: Images, report: Location
) -> dict[str, Any]:
    """Return the suspect labels, and publish a table of all of them beside the report."""
    found = suspects(held_out)
    paths = _paths(images, as_keys(one.key for one in found))
    shown = as_keys(one.key for one in found[:MOST_SUSPECTS])
    places = pc.index_in(as_arrow(shown), as_arrow(held_out.keys)).to_pylist()
    table = report.parent / f"{report.path.stem}.suspect-labels.csv"
    table.publish(suspects_csv(found, paths), tmp=report.parent / "tmp")
    if found:
        probabilities = honest(held_out, held_out, kind).probabilities
        held_out = replace(held_out, scores=probabilities)
    shot = partial(_shot, held_out, Path(manifest.folder), paths)
    return {
        "suspects": [shot(n) for n in places],
        "suspects_found": len(found),
        "likely_errors": sum(one.likely for one in found),
        "held_out_images": len(held_out.keys),
        "suspects_table": table.name,
    }


def _charts(
    run: Run, heads: HeadsSummary, candidates: Sequence[Run], runs: RunStore
) -> dict[str, Any]:
    """Draw the learning curves, and the accuracy against what was swept."""
    comparable = comparable_runs(run, candidates)
    # A fine-tuning and its start differ in more than a setting.
    swept = [] if run.finetuning else swept_charts(comparable)
    histories = {one.id: runs.history(one.id) for one in candidates}
    return {
        "swept": swept[:MOST_SWEPT],
        "more_swept": max(0, len(swept) - MOST_SWEPT),
        "curves": curves_of(heads, histories, comparable),
    }


def _commands(
    run: Run,
    candidates: Sequence[Run],
    manifest: Manifest,
    store: StoreLike,
    swept: SweepCall | None,
) -> list[list[str]]:
    """Return what to type to get all of it again; files that it names are put beside the report."""
    reports, name = locate(store) / "reports", report_place(store, manifest, run.id).path.stem
    splits, file = reports / f"{name}.splits.csv", reports / f"{name}.sweep.toml"
    splits.publish(split_csv(manifest), tmp=reports / "tmp")
    labels = None
    if table := labels_csv(manifest):
        (reports / f"{name}.labels.csv").publish(table, tmp=reports / "tmp")
        labels = (reports / f"{name}.labels.csv").path
    kept = Kept(splits.path, labels)
    if swept is None:
        return list(to_repeat(run, manifest, store, kept))
    if swept.file is not None:
        file.publish(swept.file, tmp=reports / "tmp")
        kept = Kept(splits.path, labels, sweep=file.path)
    return list(to_repeat_sweep(swept, manifest, candidates, store, kept))


def _left_out(manifest: Manifest, extraction: ExtractSummary) -> dict[str, Any]:
    """List what is in the folder and in no result, and why; and what is in it twice."""
    summary = manifest.summary()
    accepted = manifest.of_status("accepted", columns=("key", "path"))
    several = accepted.filter(pa.array(is_repeated(from_arrow(accepted["key"]))))
    twins: dict[bytes, list[str]] = defaultdict(list)
    for row in several.to_pylist():
        twins[row["key"]].append(row["path"])
    rejected = {file.path: file for file in (*summary.rejected, *extraction.rejected)}
    return {
        "rejected": list(rejected.values()),
        "ignored": summary.ignored,
        "left_out_by_reason": [*by_reason(rejected.values()), *by_reason(summary.ignored)],
        "notes": summary.notes,
        "remarks": summary.remarks,
        "remark_counts": summary.remark_counts,
        "groups": summary.groups,
        "corrections": summary.corrections,
        "split_by": summary.split_by,
        "absent": manifest.of_status("absent")["path"].to_pylist(),
        "duplicates": list(twins.values()),
    }


def _paths(images: Images, keys: Keys) -> dict[bytes, str]:
    """Return the paths of some images, (n, 32); of those that are not listed any more, none."""
    found = images.paths.take(pc.index_in(as_arrow(keys), as_arrow(images.keys))).to_pylist()
    return {key.tobytes(): path for key, path in zip(keys, found, strict=True) if path is not None}


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
