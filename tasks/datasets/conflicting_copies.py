"""Copies of an image with conflicting labels or splits: reported, and not used."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from stores.keys import ImageKey
from stores.manifest import Entry, Split

# Held-out images stay held out: the copy nearest to the test split is kept.
_HELD_OUT_FIRST: tuple[Split | None, ...] = ("test", "validation", "train", None)


def leave_out_contradictions(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries, with conflicting copies of an image marked `conflicting`.

    If copies have different labels, none of them is used. If their folders are of different splits,
    only the copies in the split nearest to the test split are used.
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
    """Yield (path, reason) for each copy that is left out."""
    if len({entry.label for entry in group}) > 1:
        for entry in group:
            other = next(twin for twin in group if twin.label != entry.label)
            yield entry.path, f"the same bytes as {other.path!r}, under another label"
        return
    kept = min(group, key=lambda entry: _HELD_OUT_FIRST.index(entry.split))
    for entry in group:
        if entry.split != kept.split:
            yield entry.path, f"the same bytes as {kept.path!r}: left out of {entry.split}"
