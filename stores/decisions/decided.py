"""What follows from the decisions of a journal: of each image the label and group it is to have."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from stores.decisions.journal import Decision, Entry, Journal
from stores.storage.location import StoreLike

EXCLUDED = ""  # in the place of a label


@dataclass(frozen=True)
class Decided:
    """What holds of each image that was ever decided on, by its key.

    None: the decision was undone, so that what was before holds, `labels_before` or
    `groups_before`; without an entry there, nothing corrected it.
    """

    labels: dict[bytes, str | None] = field(default_factory=dict)  # EXCLUDED: in no result
    groups: dict[bytes, str | None] = field(default_factory=dict)  # "": in no group
    labels_before: dict[bytes, str] = field(default_factory=dict)
    groups_before: dict[bytes, str] = field(default_factory=dict)
    right: set[bytes] = field(default_factory=set)  # whose label was found right

    def __bool__(self) -> bool:
        """Return whether anything was decided."""
        return bool(self.labels or self.groups)

    @property
    def new_labels(self) -> set[str]:
        """The labels that images are to have."""
        return {label for label in self.labels.values() if label}


def decided(entries: Sequence[Entry]) -> Decided:
    """Return what holds after these entries, in their order: the last decision on an image."""
    found, undone = Decided(), undone_names(entries)
    for entry in entries:
        if entry.decision.action == "reset":
            found = Decided()
        else:
            _add(found, entry.decision, holds=entry.name not in undone)
    return found


def _add(found: Decided, decision: Decision, *, holds: bool) -> None:
    for name, key in _pairs(decision.labels_before):
        if key not in found.labels:
            found.labels_before[key] = name
    for name, key in _pairs(decision.groups_before):
        if key not in found.groups:
            found.groups_before[key] = name
            found.groups[key] = None
    match decision.action:
        case "table":
            _replace(found.labels_before, decision.images)
        case "grouping":
            _replace(found.groups_before, decision.images)
        case "group":
            _decide(found.groups, decision.images, holds=holds)
        case "label" | "right" | "exclude":
            _decide(found.labels, decision.images, holds=holds)
            keys = {key for _, key in _pairs(decision.images)} if holds else set()
            found.right.difference_update(keys)
            found.right.update(keys if decision.action == "right" else ())


def undone_names(entries: Sequence[Entry]) -> set[str]:
    """Return the names of the entries that are undone; to undo an undoing is to redo."""
    undone = set[str]()
    for entry in reversed(entries):
        if entry.decision.action == "undo" and entry.name not in undone:
            undone.add(entry.decision.undoes)
    return undone


def decided_in(store: StoreLike, dataset: str) -> Decided:
    """Return what holds of a data set's images; raises CorruptStore or NewerFormat."""
    journal = Journal(store, dataset)
    journal.refresh()
    return decided(journal.entries)


def _decide(
    values: dict[bytes, str | None], images: dict[str, tuple[str, ...]], *, holds: bool
) -> None:
    for name, key in _pairs(images):
        if holds:
            values[key] = name
        else:
            values.setdefault(key, None)


def _replace(values: dict[bytes, str], images: dict[str, tuple[str, ...]]) -> None:
    values.clear()
    values.update((key, name) for name, key in _pairs(images))


def _pairs(images: dict[str, tuple[str, ...]]) -> Iterable[tuple[str, bytes]]:
    return ((name, bytes.fromhex(key)) for name, keys in images.items() for key in keys)
