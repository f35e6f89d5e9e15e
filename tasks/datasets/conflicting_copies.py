"""The same bytes said to be two things: reported, and kept out of what is learned."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from stores.keys import ImageKey
from stores.manifest import Entry, Split

# What was held out stays held out: of two copies, the one nearer to the test split is kept.
_HELD_OUT_FIRST: tuple[Split | None, ...] = ("test", "validation", "train", None)


def leave_out_contradictions(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries, those marked `conflicting` whose bytes another file contradicts.

    Under two labels, no copy can be believed. On both sides of splits that the folders give, the
    copies nearer to training are left out.
    """
    copies: dict[ImageKey, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.key and entry.status == "accepted":
            copies[entry.key].append(entry)
    reasons = dict(
        reason for group in copies.values() if len(group) > 1 for reason in _reasons(group)
    )
    return [
        replace(entry, status="conflicting", reason=reasons[entry.path])
        if entry.path in reasons
        else entry
        for entry in entries
    ]


def _reasons(group: list[Entry]) -> Iterable[tuple[str, str]]:
    """Yield (path, reason) for each copy that must be left out."""
    if len({entry.label for entry in group}) > 1:
        for entry in group:
            other = next(twin for twin in group if twin.label != entry.label)
            yield entry.path, f"the same bytes as {other.path!r}, under another label"
        return
    kept = min(group, key=lambda entry: _HELD_OUT_FIRST.index(entry.split))
    for entry in group:
        if entry.split != kept.split:
            yield entry.path, f"the same bytes as {kept.path!r}: left out of {entry.split}"
