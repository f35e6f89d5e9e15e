"""What the command line prints of data sets, features, exports and stores."""

from collections.abc import Iterable, Iterator, Sequence

from flows.cli.terminal import with_visible_names
from flows.summaries.stores import (
    ExportSummary,
    GarbageSummary,
    IngestSummary,
    ListSummary,
    MaintainSummary,
    MergeSummary,
    ReindexSummary,
    StatsSummary,
    VerifySummary,
)
from stores.dataset_summary import Correction, FileReason, GroupCounts, ListedDataset, by_reason
from stores.quantized import Gate
from tasks.export.deviation import Deviation
from tasks.features.accounting import ExtractSummary
from tasks.features.agreement import difference_in_words

MOST_REASONS = 10


@with_visible_names
def ingest_text(summary: IngestSummary) -> str:
    """Return how a data set is made up, and what was left out."""
    lines = [f"{_dataset(summary)} ({many(summary.read, 'file')} read)"]
    lines += [f"  {'':20} {'train':>8} {'validation':>10} {'test':>8}"] if summary.classes else []
    lines += [
        f"  {name[:20]:20} {row['train']:8} {row['validation']:10} {row['test']:8}"
        for name, row in summary.counts.items()
    ]
    if summary.largest_class_accuracy is not None and len(summary.classes) > 1:
        lines.append(
            f"  majority-class baseline: {summary.largest_class_accuracy:.4f} "
            f"(class {summary.largest_class!r})"
        )
    elif summary.target == "classes" and summary.classes:
        lines.append("  one class only: features can be extracted, but no head trained")
    if summary.split_by == "time":
        lines.append("  split by time: the newest images in test, the next in validation")
    if groups := summary.groups:
        lines.append(groups_line(groups))
    if summary.corrections:
        lines.append(f"  corrections: {_corrections(summary.corrections)}")
    lines += _missing(summary)
    if summary.duplicates:
        lines.append(f"  duplicate files, which count once: {summary.duplicates}")
    lines += [f"  note: {note}" for note in summary.notes]
    lines += files_by_reason("rejected", summary.rejected, verbose=summary.verbose)
    lines += files_by_reason("ignored", summary.ignored, verbose=summary.verbose)
    lines += [
        f"  remark: {many(about.images, 'image')}: {about.remark} (for one, {about.example!r})"
        for about in summary.remark_counts
    ]
    return "\n".join(lines)


@with_visible_names
def extract_text(summary: ExtractSummary) -> str:
    """Return what was computed and what was there already."""
    lines = [
        f"features of {summary.dataset}: {summary.computed} computed, {summary.cached} "
        f"cached, {summary.duplicates} duplicates, in {summary.seconds:.1f} s"
    ]
    if summary.computed:
        lines[0] += f" ({summary.images_per_second:.0f} images/s by {summary.engine})"
    if summary.checked:
        lines.append(
            f"  {summary.checked} rows computed only to compare engines or versions: they agree"
        )
    if figures := summary.agreement:
        other = figures.get("with", "Keras")
        lines.append(
            f"  {summary.engine} agrees with {other} on {figures['rows']} photographs: "
            f"{difference_in_words(figures)}"
        )
    if summary.int8:
        lines.append(f"  int8: {_gate(summary.int8)}")
    for recipe in summary.recipes:
        shape = "×".join(map(str, recipe.feature_shape or ()))
        lines.append(f"  tap {recipe.tap}: shape {shape}, recipe {recipe.fingerprint[:16]}")
    lines += [f"  note: {note}" for note in summary.notes]
    return "\n".join([*lines, *files_by_reason("rejected", summary.rejected)])


def _gate(gate: Gate) -> str:
    return (
        f"accuracy of a logistic head by folds {gate.accuracy:.4f}, at float32 "
        f"{gate.accuracy_at_float32:.4f}, on {many(gate.images, 'train image')}; forward pass "
        f"{gate.speed:.0f} images/s, at float32 {gate.speed_at_float32:.0f}"
    )


def groups_line(groups: GroupCounts) -> str:
    """Return how many groups each split has."""
    return (
        f"  groups: {groups.train} in train, {groups.validation} in validation, {groups.test} "
        f"in test; the largest, {groups.largest!r}, has {many(groups.largest_images, 'image')}"
    )


def _dataset(about: ListedDataset) -> str:
    of = f" of {many(len(about.classes), 'class')}" if about.classes else " without labels"
    return f"data set {about.dataset}: {many(about.images, 'image')}{of} in {about.folder}"


def _missing(summary: IngestSummary) -> Iterator[str]:
    effects = {
        "train": "no head can be trained",
        "validation": "no head is chosen by it",
        "test": "no head is tested on it",
    }
    for split, effect in effects.items():
        without = [name for name, row in summary.counts.items() if not row[split]]
        if without:
            named = ", ".join(map(repr, without[:5])) + (", …" if len(without) > 5 else "")
            yield f"  no {split} image of {named}: {effect}"


def _corrections(corrections: Sequence[Correction]) -> str:
    excluded = sum(one.label is None for one in corrections)
    corrected = len(corrections) - excluded
    parts = [f"{many(corrected, 'label')} corrected"] if corrected else []
    parts += [f"{many(excluded, 'image')} excluded"] if excluded else []
    return f"{', '.join(parts)} (--corrections none undoes them)"


def files_by_reason(
    what: str, files: Sequence[FileReason], *, verbose: bool = False
) -> Iterator[str]:
    """Yield files by their reasons, or with `verbose` all of them."""
    if verbose:
        yield from (f"  {what}: {file.path!r}: {file.reason}" for file in files)
        return
    reasons = by_reason(files)
    for about in reasons[:MOST_REASONS]:
        if about.files == 1:
            yield f"  {what}: {about.example!r}: {about.reason}"
        else:
            yield (
                f"  {what}: {about.files} files ({about.endings_in_words}): {about.reason} "
                f"(for one, {about.example!r})"
            )
    if more := sum(about.files for about in reasons[MOST_REASONS:]):
        yield f"  {what}: and {more} more (all by flows.ingest --verbose, or in the report)"


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
        yield _dataset(about)
    yield from (f"recipe {recipe}" for recipe in listed.recipes)
    for run in listed.runs:
        test = "" if run["test_accuracy"] is None else f", test {run['test_accuracy']:.4f}"
        outcome = (
            f"failed: {run['failure']}"
            if run["failure"]
            else f"validation {run['validation_accuracy']:.4f}{test}"
        )
        yield f"run {run['run'][:16]}: {run['head']} on {run['dataset']}, {outcome}"
    for kept in listed.finetunings:
        yield (
            f"fine-tuning {kept.run}: not finished, {many(kept.epochs, 'epoch')} done, "
            f"{kept.bytes / 2**20:.1f} MiB"
        )
    yield from (f"reads through to {layer}" for layer in listed.layers)


def many(count: int, noun: str) -> str:
    """Return a number with its noun."""
    ending = "" if count == 1 else "es" if noun.endswith("s") else "s"
    return f"{count} {noun}{ending}"


def lines_of(lines: Iterable[str]) -> str:
    """Return lines as one text, or that there are none: of what cannot be read a line is logged."""
    return "\n".join(lines) or "nothing that can be read"
