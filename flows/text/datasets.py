"""What the command line prints of data sets and their features."""

from collections.abc import Iterator, Sequence

from flows.cli.terminal import with_visible_names
from flows.summaries.stores import IngestSummary
from flows.text.numbers import in_digits
from flows.text.stores import dataset_line, many
from stores.dataset_summary import Correction, FileReason, GroupCounts, by_reason
from stores.quantized import Gate
from tasks.features.accounting import ExtractSummary
from tasks.features.agreement import difference_in_words

MOST_REASONS = 10


@with_visible_names
def ingest_text(summary: IngestSummary) -> str:
    """Return how a data set is made up, and what was left out."""
    lines = [f"{dataset_line(summary)} ({many(summary.read, 'file')} read)"]
    lines += _numbers(summary) if summary.target == "number" else _counts(summary)
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


def _counts(summary: IngestSummary) -> Iterator[str]:
    """Yield the images by class, or label, and split."""
    if not summary.classes:
        return
    none = {"none of them": summary.without_label} if summary.without_label else {}
    yield f"  {'':20} {'train':>8} {'validation':>10} {'test':>8}"
    for name, row in (summary.counts | none).items():
        yield f"  {name[:20]:20} {row['train']:8} {row['validation']:10} {row['test']:8}"
    if summary.largest_class_accuracy is not None and len(summary.classes) > 1:
        yield (
            f"  majority-class baseline: {summary.largest_class_accuracy:.4f} "
            f"(class {summary.largest_class!r})"
        )
    elif summary.target == "classes":
        yield "  one class only: features can be extracted, but no head trained"


def _numbers(summary: IngestSummary) -> Iterator[str]:
    """Yield the range of the numbers in each split."""
    yield f"  {'':10} {'images':>8} {'smallest':>12} {'mean':>12} {'largest':>12}"
    for split, found in summary.numbers.items():
        values = (in_digits(one) for one in (found.smallest, found.mean, found.largest))
        yield f"  {split:10} {found.images:8} {' '.join(f'{value:>12}' for value in values)}"


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
            of = "" if summary.target == "number" else f" of {named}"
            yield f"  no {split} image{of}: {effect}"


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
