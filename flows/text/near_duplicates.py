"""What the command line prints of near-duplicates."""

from collections.abc import Iterator

from flows.text.stores import many
from tasks.evaluation.duplicate_search import DuplicatesSummary


def near_duplicates_lines(found: DuplicatesSummary, *, folds: int) -> Iterator[str]:
    """Yield how many there are between what heads learned from and what they were measured on."""
    title = f"near-duplicates across {'folds or splits' if folds else 'splits'}:"
    if found.pairs:
        first, second = found.example
        example = f"for example {first!r} and {second!r}"
        yield f"{title} {many(found.pairs, 'pair')}, {example}: the accuracies are too high"
    elif not found.crowded and not found.untold:
        yield f"{title} none found"
    if found.crowded:
        pairs = many(found.crowded, "more pair" if found.pairs else "pair")
        yield f"{title} {pairs} may be copies, among many images that are all alike"
    for reason in found.untold:
        yield f"{title} not all can be found: {reason}"
