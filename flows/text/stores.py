"""What the command line prints of exports and stores, and words that others use."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from flows.cli.terminal import with_visible_names
from flows.summaries.stores import (
    ExportSummary,
    GarbageSummary,
    ListSummary,
    MaintainSummary,
    MergeSummary,
    ReindexSummary,
    StatsSummary,
    VerifySummary,
)
from stores.dataset_summary import ListedDataset
from stores.targets import MAIN_FIGURE
from tasks.evaluation.selection import plain_figure
from tasks.export.deviation import Deviation

if TYPE_CHECKING:
    from stores.targets import Target


def dataset_line(about: ListedDataset) -> str:
    """Return what a data set is made of."""
    of = " without labels"
    if about.target == "number":
        of = f" with a number, {about.classes[0]!r},"
    elif about.target == "labels":
        of = f" with {many(len(about.classes), 'label')}"
    elif about.classes:
        of = f" of {many(len(about.classes), 'class')}"
    return f"data set {about.dataset}: {many(about.images, 'image')}{of} in {about.folder}"


def _compared(found: Deviation) -> str:
    images, within = many(found.images, "validation image"), f"{found.largest_difference:.1e}"
    if found.target == "number":
        return f"the same numbers on {images}, within {within} of their standard deviation"
    if not found.labels_that_differ:
        return f"the same labels on {images}, scores within {within}"
    other = f"other labels on {found.labels_that_differ} of {images}, by rounding"
    return f"{other}, scores within {within}"


@with_visible_names
def export_text(summary: ExportSummary) -> str:
    """Return what was written, and how far it is from the run."""
    return "\n".join(
        [
            f"run {summary.run[:16]} as {many(len(summary.models), 'model')} in "
            f"{summary.folder}, with its card, README.md",
            *(f"  {name:12} {_compared(found)}" for name, found in summary.models.items()),
        ]
    )


@with_visible_names
def maintain_text(summary: MaintainSummary) -> str:
    """Return what an action on the store found or did."""
    match summary:
        case StatsSummary():
            return "\n".join(_stats(summary)) or (
                "no features and no checkpoints that can be read (list: what there is besides)"
            )
        case VerifySummary():
            return lines_of(
                f"{part}: {'; '.join(findings) if findings else 'whole'}"
                for part, findings in summary.verify.items()
            )
        case ReindexSummary():
            return lines_of(f"{count} shards: {r}" for r, count in summary.reindex.items())
        case GarbageSummary():
            return "\n".join(_garbage(summary))
        case ListSummary():
            return lines_of(_list(summary))
        case MergeSummary():
            return "\n".join(_merge(summary))


def _stats(summary: StatsSummary) -> Iterator[str]:
    for row in summary.stats:
        yield (
            f"{row.features} features in {row.shards} shards, {row.bytes / 2**20:.1f} MiB, "
            f"{row.quarantined} quarantined: {row.recipe}"
        )
    for kept in summary.checkpoints:
        size = f"{many(kept.checkpoints, 'checkpoint')}, {kept.bytes / 2**20:.1f} MiB"
        yield f"{size}: fine-tuning {kept.run}"


def _garbage(summary: GarbageSummary) -> Iterator[str]:
    done = "deleted" if summary.deleted else "may go (--delete removes it)"
    yield from (f"{item.path} ({item.bytes} bytes): {item.reason}" for item in summary.garbage)
    total = sum(item.bytes for item in summary.garbage)
    yield f"{len(summary.garbage)} files, {total / 2**20:.1f} MiB: {done}"


def _merge(summary: MergeSummary) -> Iterator[str]:
    taken = summary.merge
    counts = [
        f"{many(taken.features, 'feature')} in {many(taken.shards, 'shard')}",
        many(taken.datasets, "data set"),
        *([many(taken.decisions, "decision")] if taken.decisions else []),
        *([many(taken.quantized, "quantised model")] if taken.quantized else []),
        many(taken.runs, "run"),
        many(taken.looks, "test evaluation"),
    ]
    yield from (f"not taken over: {line}" for line in taken.left)
    yield from (f"damaged, not taken over: {line}" for line in taken.damaged)
    size = f"{taken.bytes / 2**20:.1f} MiB"
    yield f"taken over from {summary.source}: {', '.join(counts)}; {size}"


def _list(summary: ListSummary) -> Iterator[str]:
    listed = summary.list
    for about in listed.datasets:
        yield dataset_line(about)
    yield from (f"recipe {recipe}" for recipe in listed.recipes)
    for run in listed.runs:
        yield f"run {run['run'][:16]}: {run['head']} on {run['dataset']}, {_outcome(run)}"
    for kept in listed.finetunings:
        yield (
            f"fine-tuning {kept.run}: not finished, {many(kept.epochs, 'epoch')} done, "
            f"{kept.bytes / 2**20:.1f} MiB"
        )
    yield from (f"reads through to {layer}" for layer in listed.layers)


def _outcome(run: Mapping[str, Any]) -> str:
    """Return the main figure of a run in the table of runs, or why it has none."""
    if run["failure"]:
        return f"failed: {run['failure']}"
    figure = MAIN_FIGURE[cast("Target", run["target"])]
    words = "" if run["target"] == "classes" else f"{figure.words} "
    held_out, test = (run[f"{split}_{figure.name}"] for split in ("validation", "test"))
    tested = "" if test is None else f", test {plain_figure(test)}"
    return f"{words}validation {plain_figure(held_out)}{tested}"


def many(count: int, noun: str) -> str:
    """Return a number with its noun."""
    ending = "" if count == 1 else "es" if noun.endswith("s") else "s"
    return f"{count} {noun}{ending}"


def lines_of(lines: Iterable[str]) -> str:
    """Return lines as one text, or that there are none: of what cannot be read a line is logged."""
    return "\n".join(lines) or "nothing that can be read"
