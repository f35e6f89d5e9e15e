"""What the command line prints of runs."""

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from flows.cli.terminal import with_visible_names
from flows.summaries.runs import (
    CompareSummary,
    RunsExportSummary,
    RunsListSummary,
    RunsShowSummary,
    RunsSummary,
)
from flows.text.stores import lines_of, many
from stores.targets import MAIN_FIGURE
from tasks.evaluation.selection import expected_in_words, figure_in_words, plain_figure
from tasks.finetune.specification import head_settings, in_words
from tasks.report.run_facts import (
    Evaluation,
    FigureComparison,
    FigureEvaluation,
    RunComparison,
    RunFacts,
)
from tasks.report.settings import differences, is_setting


@with_visible_names
def runs_text(summary: RunsSummary) -> str:
    """Return what an action on the runs found or did."""
    match summary:
        case RunsListSummary():
            return lines_of(_leaderboard(summary))
        case RunsShowSummary():
            return "\n".join(_run(summary.run))
        case CompareSummary():
            return "\n".join(_comparison(summary.comparison))
        case RunsExportSummary():
            return f"{many(summary.runs, 'run')} in {summary.file}"


def _leaderboard(summary: RunsListSummary) -> Iterator[str]:
    """Yield which runs are best: of each data set by itself, for only these can be compared."""
    groups: dict[tuple[str, str, int, int], list[dict[str, Any]]] = defaultdict(list)
    for run in summary.runs:
        folds = run["folds"], run.get("fold_seed", 0)
        groups[run["dataset"], run["dataset_digest"], *folds].append(run)
    for (dataset, digest, count, seed), runs in groups.items():
        others = {other for name, other, *_ in groups if name == dataset} - {digest}
        which = f" (as it was with digest {digest[:8]})" if others else ""
        yield f"{dataset}{which}, {many(len(runs), 'run')}, by {_measured_by(count, seed)}:"
        yield from _ranked(runs, limit=summary.limit, sort_by=summary.sort_by)
        if len(runs) > summary.limit:
            more = len(runs) - summary.limit
            yield f"  and {more} more: --limit {len(runs)}, or export FILE"
    if any((run.get("runs_tried") or 1) > 1 for run in summary.runs):
        yield (
            "expected: corrected for selection among all runs tried on the same images; its "
            "interval: python -m flows.runs show RUN"
        )
    if any(sum(bool(run.get("test_openings")) for run in runs) > 1 for runs in groups.values()):
        yield "test: several runs were evaluated on it; a choice among them by it is too optimistic"


def _ranked(runs: list[dict[str, Any]], *, limit: int, sort_by: str | None) -> Iterator[str]:
    figure = MAIN_FIGURE[runs[0]["target"]]
    titles = {f"validation_{figure.name}": figure.words, f"expected_{figure.name}": "expected"}
    titles[f"test_{figure.name}"] = "test"
    if sort_by:
        titles.setdefault(sort_by, sort_by)
    width = {name: max(8, len(title)) for name, title in titles.items()}
    columns = "".join(f"  {title:>{width[name]}}" for name, title in titles.items())
    yield f"  {'run':16}  {'head':9}{columns}  settings that differ"
    differ = differences(
        (run["run"], run["head"], {name: run[name] for name in run if is_setting(name)})
        for run in runs
    )
    for run in runs[:limit]:
        values = "".join(
            f"  {'–' if run.get(name) is None else plain_figure(run[name]):>{width[name]}}"
            for name in titles
        )
        failed = f"failed: {run['failure']}" if run["failure"] else ""
        about = ", ".join(filter(None, [differ[run["run"]], failed]))
        yield f"  {run['run'][:16]}  {run['head']:9}{values}  {about}".rstrip()


def _measured_by(folds: int, seed: int) -> str:
    fold_seed = f" of seed {seed}" if seed else ""
    return f"{many(folds, 'fold')}{fold_seed}" if folds else "validation"


def _run(facts: RunFacts) -> Iterator[str]:
    run = facts.run
    folds = f", {_measured_by(run.folds, run.fold_seed)}" if run.folds else ""
    yield f"run {facts.id}: {run.head['kind']} on {run.dataset}{folds}, {run.created}"
    yield f"  head {json.dumps(head_settings(run.head, run.finetuning))}, seed {run.seed}"
    if tuning := run.finetuning:
        yield f"  fine-tuned from run {tuning['started_from'][:16]}: {in_words(tuning)}"
    if run.failure:
        yield f"  failed: {run.failure}"
    if facts.evaluation:
        yield f"  {_metrics(run.metrics)}"
        yield from _evaluation(facts.evaluation)
    for opening in facts.openings:
        metrics = _metrics(opening.metrics)
        yield f"  test evaluation of {opening.opened} by {opening.asked_by}: {metrics}"


def _evaluation(evaluation: Evaluation | FigureEvaluation) -> Iterator[str]:
    on = f"on {many(evaluation.images, 'image')} of {evaluation.judged_on}"
    for words, found in evaluation.measured().items():
        yield f"  {words} {on}: {figure_in_words(found)}"
    if evaluation.selection.tried > 1:
        yield f"  {expected_in_words(evaluation.selection)}"
    for row in evaluation.rows():
        name, images, *shares = row.items()
        figures = "  ".join(f"{n} {'–' if v is None else f'{v:.4f}'}" for n, v in shares)
        yield f"  {str(name[1])[:20]:20} {images[1]:6}  {figures}"


def _metrics(metrics: dict[str, float]) -> str:
    return ", ".join(f"{name} {plain_figure(value)}" for name, value in metrics.items())


def _comparison(comparison: RunComparison | FigureComparison) -> Iterator[str]:
    if isinstance(comparison, FigureComparison):
        words = comparison.figure.replace("_", " ")
        for which, one in zip(("first", "second"), comparison.runs, strict=True):
            value = plain_figure(one.value)
            yield f"{which}: run {one.run[:16]}, {one.head['kind']}, {words} {value}"
        difference = difference_in_words(comparison)
        yield f"on {many(comparison.images, 'image')}, second minus first: {difference}"
        return
    for which, run in zip(("first", "second"), comparison.runs, strict=True):
        yield f"{which}: run {run.run[:16]}, {run.head['kind']}, accuracy {run.accuracy:.4f}"
    yield (
        f"of {many(comparison.images, 'image')}, {comparison.only_first} right by the first alone "
        f"and {comparison.only_second} by the second alone"
    )
    yield f"second minus first: {difference_in_words(comparison)}"


def difference_in_words(comparison: RunComparison | FigureComparison) -> str:
    """Return a difference of figures with its interval, and whether that may be chance."""
    verdict = "they differ" if comparison.corrected_p_value < 0.05 else "that may be chance"
    corrected = ""
    if comparison.comparisons > 1:
        corrected = (
            f"; corrected for {comparison.comparisons:,} comparisons of the {comparison.tried:,} "
            f"runs tried (Bonferroni): {_signed(comparison.corrected_low)} to "
            f"{_signed(comparison.corrected_high)}, p = {comparison.corrected_p_value:.3g}"
        )
    of_test = "McNemar's" if isinstance(comparison, RunComparison) else "bootstrap"
    ends = f"{_signed(comparison.low)} to {_signed(comparison.high)}"
    return (
        f"{_signed(comparison.difference)} ({ends}, 95%), "
        f"{of_test} p = {comparison.p_value:.3g}{corrected}: {verdict}"
    )


def _signed(difference: float) -> str:
    return ("+" if difference >= 0 else "") + plain_figure(difference)
