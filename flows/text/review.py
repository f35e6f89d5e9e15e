"""What the command line prints of a review."""

import shlex
from collections.abc import Iterator
from pathlib import PurePath

from flows.cli.terminal import with_visible_names
from flows.parameters.review import ReviewParameters
from flows.summaries.review import ReviewSummary
from flows.text.stores import lines_of, many
from stores.printable import visible


def address_text(dataset: str, address: str) -> str:
    """Return what is printed while the page is open."""
    return (
        f"review of {visible(dataset)}: {address}\n"
        "whoever has this address can decide; Close on the page, or Ctrl-C, ends it"
    )


@with_visible_names
def review_text(summary: ReviewSummary) -> str:
    """Return what was decided, and what uses it."""
    return lines_of(_lines(summary))


def _lines(summary: ReviewSummary) -> Iterator[str]:
    made = many(summary.decisions, "decision")
    yield f"review of {summary.dataset}: {made} while the page was open"
    yield (
        f"in all {many(summary.relabelled, 'image')} with another label, {summary.excluded:,} "
        f"excluded, {summary.right:,} marked as right"
    )
    if summary.new_classes:
        yield f"new classes: {', '.join(summary.new_classes)}"
    if summary.decisions:
        named = PurePath(summary.folder).name == summary.dataset
        dataset = "" if named else f" --dataset {shlex.quote(summary.dataset)}"
        default = ReviewParameters.model_fields["store"].get_default().show()
        store = "" if summary.store == default else f" --store {shlex.quote(summary.store)}"
        folder = shlex.quote(summary.folder)
        yield f"used by the next python -m flows.pipeline {folder}{dataset}{store}"
