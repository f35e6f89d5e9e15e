"""The report: one HTML file on a data set, its features, its heads and the chosen one's results."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from stores.dataset_summary import by_reason
from stores.keys import from_arrow, is_repeated
from stores.layout import locate
from stores.manifest import Manifest
from stores.runs.record import Run
from stores.runs.store import RunStore
from stores.storage.location import Location, StoreLike
from tasks.datasets.label_table import labels_csv
from tasks.datasets.split_file import split_csv
from tasks.evaluation.costs import Costs
from tasks.evaluation.duplicate_search import find_near_duplicates, shown_pairs, summary_of
from tasks.evaluation.near_duplicates import NearDuplicates
from tasks.execution.steps import task
from tasks.features.accounting import ExtractSummary
from tasks.finetune.specification import head_settings, in_words
from tasks.report.examples import class_examples
from tasks.report.heads_summary import HeadsSummary, summarize_heads
from tasks.report.index import write_index
from tasks.report.results import results_of
from tasks.report.sweep_sections import (
    MOST_SWEPT,
    comparable_runs,
    curves_of,
    map_of,
    recipe_labels,
    swept_charts,
)
from tasks.report.target_results import target_results_of
from tasks.report.templating import render
from tasks.training.repeat_commands import Kept, SweepCall, to_repeat, to_repeat_sweep


def write_report(
    *,
    store: StoreLike,
    manifest: Manifest,
    extraction: ExtractSummary,
    runs: Sequence[str],
    chosen: str,
    duplicates: NearDuplicates | None = None,
    swept: SweepCall | None = None,
    costs: Costs | None = None,
) -> Path:
    """Publish the report on one chosen run among its candidates, and return where it lies.

    Beside it lie a table of the suspect labels and a page that lists all reports. `duplicates` are
    those of the chosen run's splits or folds; without them they are searched for. `swept` is how
    the sweep was called that trained all these runs. With `costs`, the report tells what deciding
    by them changes.

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
    if run.target == "classes":
        template, results = "report.html.jinja", results_of(run, manifest, stored, place, costs)
    else:
        template = f"{run.target}_report.html.jinja"
        results = target_results_of(run, manifest, stored)
    content = render(
        template,
        run=run,
        manifest=manifest,
        extraction=extraction,
        recipes=sorted(recipes, key=lambda recipe: recipe.fingerprint != run.fingerprint),
        recipe_labels=recipe_labels(recipes),
        total=(total := manifest.split_sizes()),
        testable=bool(total["test"]),
        finetuning_in_words=in_words(run.finetuning) if run.finetuning else "",
        head=head_settings(run.head, run.finetuning),
        heads=heads,
        test_evaluations={one: len(stored.openings(one)) for one in candidates},
        commands=_commands(
            run, [candidates[h.run] for h in heads.best_first], manifest, store, swept
        ),
        **_left_out(manifest, extraction),
        examples=class_examples(manifest),
        image_map=map_of(manifest, run, store),
        near_duplicates=summary_of(duplicates, manifest),
        near_duplicate_pairs=shown_pairs(duplicates, manifest, run),
        **results,
        **_charts(run, heads, list(candidates.values()), stored),
    )
    place.publish(content, tmp=place.parent / "tmp")
    write_index(store)
    return place.path


# Made anew each time: what it shows of files and of other runs changes without its inputs.
report_task = task(name="report", task_run_name="report on {chosen:.16}")(write_report)


def report_place(store: StoreLike, manifest: Manifest, chosen: str) -> Location:
    """Return where the report on a run of a data set lies."""
    # A file's name takes 255 bytes; a data set's name may come near that.
    name = manifest.name.encode()[:200].decode(errors="ignore")
    return locate(store) / "reports" / f"{name}-{chosen[:16]}.html"


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
