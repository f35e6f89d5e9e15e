"""What the command line says of near-duplicates, for people."""

from collections.abc import Iterator
from typing import Any

from flows.text.stores import many


def tell_leaks(summary: dict[str, Any]) -> Iterator[str]:
    """Say how many there are between what heads learned from and what measured them."""
    found = summary["near_duplicates"]
    title = f"near-duplicates across {'folds or splits' if summary['folds'] else 'splits'}:"
    if found["pairs"]:
        first, second = found["example"]
        example = f"for example {first!r} and {second!r}"
        yield f"{title} {many(found['pairs'], 'pair')}, {example}: the accuracies are too high"
    elif not found["crowded"] and not found["untold"]:
        yield f"{title} none found"
    if found["crowded"]:
        pairs = many(found["crowded"], "more pair" if found["pairs"] else "pair")
        yield f"{title} {pairs} may be copies, among many images that are all alike"
    for reason in found["untold"]:
        yield f"{title} not all can be found: {reason}"
