"""What the command line prints of near-duplicates."""

from collections.abc import Iterator

from flows.cli.terminal import with_visible_names
from flows.summaries.stores import SearchedExtractSummary
from flows.text.datasets import extract_text, files_by_reason, groups_line
from flows.text.stores import many
from tasks.evaluation.duplicate_search import DuplicatesSummary
from tasks.evaluation.kept_groups import KeptTogether


def near_duplicates_lines(found: DuplicatesSummary, *, folds: int) -> Iterator[str]:
    """Yield how many there are between what heads learned from and what they were measured on."""
    parts = "folds or splits" if folds else "splits"
    title = f"near-duplicates across {parts}:"
    if not found.searched:
        yield f"{title} not searched: {'; '.join(found.untold)}"
        return
    if found.pairs:
        first, second = found.example
        example = f"for example {first!r} and {second!r}"
        yield f"{title} {many(found.pairs, 'pair')}, {example}: the results are too good"
    elif found.split and not found.crowded and not found.untold:
        yield f"{title} none found"
    if found.crowded:
        pairs = many(found.crowded, "more pair" if found.pairs else "pair")
        yield f"{title} {pairs} may be copies, among many images that are all alike"
    for reason in found.untold:
        yield f"{title} not all can be found: {reason}"
    if found.within:
        where = f" within {parts}" if found.split else ""
        yield f"near-duplicates{where}: {many(found.within, 'pair')}"
    elif not found.split and not found.untold:
        yield "near-duplicates: none found"
    if found.groups:
        largest = f"{'the largest ' if found.groups > 1 else ''}of {many(found.largest, 'image')}"
        yield f"  {many(found.groups, 'group')} of near-duplicates, {largest}"
    if found.table and not found.kept:
        flag = "add --keep-together near-duplicates, or " if found.split else ""
        yield (
            f"  to keep groups in one split, {flag}ingest with --labels {found.table} --group group"
        )


@with_visible_names
def searched_extract_text(summary: SearchedExtractSummary) -> str:
    """Return what was computed, and how many near-duplicates there are."""
    found = summary.near_duplicates
    lines = near_duplicates_lines(found, folds=0) if found else ()
    kept = _kept_lines(summary.kept_together) if summary.kept_together else ()
    return "\n".join([extract_text(summary), *kept, *lines])


def _kept_lines(kept: KeptTogether) -> Iterator[str]:
    """Yield the groups that near-duplicates are in, what they leave out, and what is not known."""
    yield groups_line(kept.groups) if kept.groups else "  groups: none"
    yield from files_by_reason("left out", kept.left_out)
    yield from (f"  note: {note}" for note in kept.notes)
