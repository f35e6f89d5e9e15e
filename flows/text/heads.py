"""What the command line prints at the end of a flow that trains heads or fine-tunes."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace

from flows.cli.terminal import with_visible_names
from flows.summaries.heads import FinetuneSummary, PipelineSummary, SweepSummary, TrainSummary
from flows.text.datasets import extract_text, ingest_text
from flows.text.near_duplicates import near_duplicates_lines
from flows.text.runs import difference_in_words
from flows.text.stores import many
from tasks.evaluation.selection import expected_in_words, plain_figure
from tasks.finetune.specification import in_words
from tasks.report.heads_summary import HeadsSummary
from tasks.report.trained_head import TrainedHead, figures_beside

MOST_HEADS = 10


@with_visible_names
def train_text(summary: TrainSummary) -> str:
    """Return how each head did, and which was chosen."""
    return "\n".join(
        [
            f"heads on {summary.dataset}, chosen {_by_figure(summary)}on {summary.measured_on}:",
            *_heads(summary, summary.remarks),
            *_worth(summary),
            *near_duplicates_lines(summary.near_duplicates, folds=summary.folds),
        ]
    )


@with_visible_names
def pipeline_text(summary: PipelineSummary) -> str:
    """Return what each stage did, and where the report is."""
    known = summary.ingest.rejected
    new = tuple(file for file in summary.extract.rejected if file not in known)
    parts = [
        *textwrap.wrap(summary.about, 100),
        ingest_text(summary.ingest),
        extract_text(replace(summary.extract, rejected=new, notes=())),
        train_text(summary.train),
        f"report: {summary.report}",
    ]
    return "\n".join(parts)


@with_visible_names
def sweep_text(summary: SweepSummary) -> str:
    """Return which heads are best, which was chosen, and what that choice is worth."""
    repeated = summary.trials - len(summary.runs)
    trials = f" ({many(summary.trials, 'trial')}, {repeated} of them repeated)" if repeated else ""
    figure = _figure(summary.chosen.validation_figure)
    by = "" if summary.target == "classes" else f"{summary.figure.words} on "
    return "\n".join(
        [
            f"sweep on {summary.dataset}: {many(len(summary.runs), 'head')}{trials}, "
            f"{summary.trained} trained, {summary.cached} cached, {summary.failed} failed",
            *_heads(summary, summary.remarks),
            f"chosen by {by}{summary.measured_on}: {summary.chosen.head}, {figure}",
            *_worth(summary),
            *near_duplicates_lines(summary.near_duplicates, folds=summary.folds),
            f"report: {summary.report}",
        ]
    )


@with_visible_names
def finetune_text(summary: FinetuneSummary) -> str:
    """Return what became of a run by fine-tuning, and whether that may be chance."""
    tuning = summary.finetuning
    cached = " (cached)" if summary.cached else ""
    trained = in_words(tuning) if tuning else "nothing: the run's head was trained on features"
    size = "×".join(map(str, summary.image_size))
    about = f"{summary.dataset}, {size} pixels, seed {summary.chosen.seed}"
    comparison = summary.comparison
    return "\n".join(
        [
            f"fine-tuning on {about}{cached}: {trained}",
            *_heads(summary),
            *([f"  {difference_in_words(comparison)}"] if comparison else []),
            *_worth(summary),
            *near_duplicates_lines(summary.near_duplicates, folds=summary.folds),
            f"report: {summary.report}",
        ]
    )


def _heads(summary: HeadsSummary, remarks: Sequence[str] = ()) -> Iterator[str]:
    """Yield a line a head, the chosen one with a star; those that failed come last."""
    yield from (f"  note: {remark}" for remark in remarks)
    whole = [head for head in summary.runs if not head.failure]
    failed = [head for head in summary.runs if head.failure]
    width = max([14, *(len(head.head) for head in whole[:MOST_HEADS])])
    for head in whole[:MOST_HEADS]:
        yield (
            f"{'*' if head.run == summary.run else ' '} {head.head:{width}} "
            f"train {_figure(head.train_figure)}  "
            f"{summary.measured_on} {_figure(head.validation_figure)}{_beside(head)}  "
            f"run {head.run[:16]}{' (cached)' if head.cached else ''}  {head.differing}"
        ).rstrip()
    if len(whole) > MOST_HEADS:
        yield f"  and {len(whole) - MOST_HEADS} more: python -m flows.runs list"
    for head in failed[:MOST_HEADS]:
        yield f"  {head.head:{width}} failed: {head.failure}  run {head.run[:16]}"


def _by_figure(summary: HeadsSummary) -> str:
    return "" if summary.target == "classes" else f"by {summary.figure.words} "


def _beside(head: TrainedHead) -> str:
    named = ", ".join(f"{name} {_figure(value)}" for name, value in head.beside.items())
    return f" ({named.replace(' accuracy', '')})" if named else ""


def _figure(value: float | None) -> str:
    return "–" if value is None else plain_figure(value)


def _worth(summary: HeadsSummary) -> Iterator[str]:
    """Yield what to expect of the chosen head, against one fixed answer too, and its test."""
    if summary.selection:
        yield f"  {expected_in_words(summary.selection)}"
    for line in filter(None, (summary.not_better, summary.ties_in_words)):
        yield f"  {line}"
    if summary.test_figure is not None:
        others = figures_beside(summary.test_metrics, summary.target, "test")
        known = "".join(f", {name} {_figure(value)}" for name, value in others.items())
        yield (
            f"test {summary.figure.words} of {summary.chosen.head}: "
            f"{_figure(summary.test_figure)}{known} "
            f"({many(summary.test_openings, 'test evaluation')} over all runs)"
        )
