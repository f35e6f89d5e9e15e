"""What a reviewer asks for, as a decision for the journal."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from stores.decisions.decided import Decided, undone_names
from stores.decisions.journal import UNDOABLE, Decision, Entry
from stores.manifest_checks import LONGEST_NAME
from stores.printable import visible
from tasks.datasets.decided_rows import groups_before, labels_before
from tasks.errors import InputError, nearest
from tasks.review.images import Labels, Reviewed

Asked = Literal["label", "right", "exclude", "group", "ungroup"]


@dataclass(frozen=True)
class Question:
    """What has to be confirmed first."""

    text: str


def decision(
    asked: Asked,
    numbers: Sequence[int],
    value: str,
    *,
    images: Reviewed,
    labels: Labels,
    decided: Decided,
    reviewer: str,
    confirmed: bool = False,
) -> Decision | Question:
    """Return the decision on some images, by their numbers; or a question, for a new class.

    Raises InputError for no images, numbers that are none, and a name that cannot be one.
    """
    chosen = sorted(set(numbers))
    if not chosen or not 0 <= chosen[0] <= chosen[-1] < len(images):
        raise InputError(f"expected images from 0 to {len(images) - 1}. Received: {numbers[:3]}")
    keys = images.rows["key"].take(chosen).to_pylist()
    hexadecimal = tuple(key.hex() for key in keys)
    if asked in {"group", "ungroup"}:
        name = "" if asked == "ungroup" else _name(value or f"review {uuid.uuid4().hex[:8]}")
        before = groups_before(images.manifest, keys, decided)
        return Decision("group", {name: hexadecimal}, reviewer=reviewer, groups_before=before)
    named: dict[str, tuple[str, ...]] = {"": hexadecimal}
    if asked == "label":
        label = _name(value)
        if label not in labels.names and not confirmed:
            near = nearest(label, labels.names)
            hint = f" Or did you mean {' or '.join(near)}?" if near else ""
            return Question(f"{label!r} is no class yet. Make it one?{hint}")
        named = {label: hexadecimal}
    elif asked == "right":
        by_label: dict[str, list[str]] = {}
        for n, key in zip(chosen, hexadecimal, strict=True):
            by_label.setdefault(labels.names[labels.codes[n]], []).append(key)
        named = {label: tuple(some) for label, some in by_label.items()}
    corrected = labels_before(images.manifest, keys, decided)
    return Decision(asked, named, reviewer=reviewer, labels_before=corrected)


def undoing(entries: Sequence[Entry], reviewer: str) -> Decision:
    """Return the decision that undoes a reviewer's last; raises InputError if there is none."""
    undone = undone_names(entries)
    for entry in reversed(entries):
        made = entry.decision
        if made.action == "reset":
            break
        mine = made.reviewer == reviewer and made.action in UNDOABLE - {"undo"}
        if mine and entry.name not in undone:
            return Decision("undo", undoes=entry.name, reviewer=reviewer)
    raise InputError("nothing to undo: this page has no decision that holds")


def _name(value: str) -> str:
    name = value.strip()
    if not name or visible(name) != name or len(name.encode()) > LONGEST_NAME:
        raise InputError(
            f"expected a name of 1 to {LONGEST_NAME} bytes on one line. Received: "
            f"{visible(name)[:40]!r}"
        )
    return name
