"""The journal of a data set's decisions: one file each, which is never changed or replaced.

Whoever decides knows of the entries before, and takes the next number. So an entry that answers
another comes after it, whatever the clocks say, and two people at once both have theirs kept.
"""

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal, get_args

from stores.dataset_places import manifest_place
from stores.errors import CorruptStore, newer_format
from stores.keys import KEY_BYTES
from stores.manifest_checks import LONGEST_NAME
from stores.storage.digests import json_digest
from stores.storage.json_files import ABSURD, as_record, read_object
from stores.storage.location import Location, StoreLike
from stores.storage.safe_files import read_bytes

JOURNAL_VERSION = 1
# right: the label that it has is right. table, grouping: what a table, or a pattern, says of the
# labels or groups of images that were decided on. reset: nothing before it holds any more.
Action = Literal["label", "right", "exclude", "group", "undo", "table", "grouping", "reset"]
UNDOABLE = frozenset({"label", "right", "exclude", "group", "undo"})
_NAME = re.compile(r"(\d{8})-\d{8}T\d{12}-[0-9a-f]{8}")
_KEY = re.compile(f"[0-9a-f]{{{2 * KEY_BYTES}}}")
Images = dict[str, tuple[str, ...]]  # keys in hexadecimal, by a label or a group


@dataclass(frozen=True)
class Decision:
    """One decision on any number of images, as it was made.

    `images` are by the label or group that they are to have; of `exclude`, and to leave a group,
    by an empty one. What the images had before, by a table of corrections or a table of groups, is
    there for those that nobody had decided on.
    """

    action: str
    images: Images = field(default_factory=dict)
    undoes: str = ""  # the name of an entry
    reviewer: str = ""  # an open page, by whose key its own last decision is undone
    labels_before: Images = field(default_factory=dict)
    groups_before: Images = field(default_factory=dict)
    when: str = ""  # ISO 8601, UTC

    def __post_init__(self) -> None:
        """Raise ValueError on what is no decision."""
        if self.action not in get_args(Action) or len(self.reviewer) > LONGEST_NAME:
            raise ValueError(f"no decision: {self.action[:40]!r}")
        if self.undoes and not _NAME.fullmatch(self.undoes):
            raise ValueError(f"no name of a decision: {self.undoes[:80]!r}")
        for images in (self.images, self.labels_before, self.groups_before):
            for name, keys in images.items():
                if len(name.encode()) > LONGEST_NAME or not all(map(_KEY.fullmatch, keys)):
                    raise ValueError(f"no images: {name[:40]!r}")


@dataclass(frozen=True)
class Entry:
    """A decision under its name, by which entries are in order."""

    name: str
    decision: Decision


class Journal:
    """The decisions of a data set, as far as they were read.

    Example:
        >>> Journal("feature-store", "photos").refresh()
    """

    def __init__(self, store: StoreLike, dataset: str) -> None:
        self.place = manifest_place(store, dataset).parent / "decisions"
        self._read: dict[str, Entry] = {}

    @property
    def entries(self) -> list[Entry]:
        """What was read, in order."""
        return [self._read[name] for name in sorted(self._read)]

    def refresh(self) -> list[Entry]:
        """Read the entries that are new, and return them; raises CorruptStore or NewerFormat."""
        self.place.refresh()
        names = [name.removesuffix(".json") for name in self.place.files(".json")]
        new = [name for name in names if _NAME.fullmatch(name) and name not in self._read]
        found = [Entry(name, _read(self.place / f"{name}.json")) for name in sorted(new)]
        self._read |= {entry.name: entry for entry in found}
        return found

    def add(self, decision: Decision) -> Entry:
        """Keep a decision after those there are, durably; raises what `refresh` does, or OSError.

        That is StoreReadOnly or StoreFull, or another one.
        """
        self.refresh()
        now = datetime.now(UTC)
        body = asdict(decision) | {"when": now.isoformat()}
        last = max(self._read, default="00000000")
        name = f"{int(last[:8]) + 1:08}-{now:%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:8]}"
        stamped = {"format": JOURNAL_VERSION, "sha256": json_digest(_named(name, body))}
        content = json.dumps(stamped | {"decision": body}).encode()
        (self.place / f"{name}.json").publish(content, tmp=self.place.parent / "tmp")
        self._read[name] = Entry(name, as_record(Decision, _with_tuples(body)))
        return self._read[name]


def take_over(store: StoreLike, other: StoreLike, dataset: str) -> int:
    """Copy the entries that a journal lacks from that of another store; return how many.

    Raises CorruptStore or NewerFormat, before anything is copied, and what `Journal.add` does.
    """
    ours, theirs = Journal(store, dataset), Journal(other, dataset)
    theirs.refresh()
    ours.place.refresh()
    there = ours.place.files(".json")
    lacking = [
        f"{entry.name}.json" for entry in theirs.entries if f"{entry.name}.json" not in there
    ]
    for name in lacking:
        content = read_bytes((theirs.place / name).path)
        (ours.place / name).publish(content, tmp=ours.place.parent / "tmp")
    return len(lacking)


def findings(store: StoreLike, dataset: str) -> Iterator[str]:
    """Yield what is wrong with each damaged entry of a journal."""
    journal = Journal(store, dataset)
    journal.place.refresh()
    for name in journal.place.files(".json"):
        try:
            _read(journal.place / name)
        except (CorruptStore, OSError) as error:
            yield str(error)


def _read(place: Location) -> Decision:
    return place.reread(partial(_checked, name=place.path.stem))


def _checked(path: Path, name: str) -> Decision:
    try:
        stored = read_object(path)
        version, body = stored["format"], stored["decision"]
        newer = isinstance(version, int) and version > JOURNAL_VERSION
        if not newer and stored["sha256"] == json_digest(_named(name, body)):
            return as_record(Decision, _with_tuples(body))
    except ABSURD as error:
        raise CorruptStore(_damaged(path)) from error
    if newer:
        raise newer_format(f"{path}: decision", version, JOURNAL_VERSION)
    raise CorruptStore(_damaged(path))


def _damaged(path: Path) -> str:
    return (
        f"{path}: the file is damaged; bring it back from a backup, or delete it and decide on its "
        "images again"
    )


def _named(name: str, body: dict[str, object]) -> dict[str, object]:
    """Return what the digest is of: an entry under another name would be at another place."""
    return {"name": name, "decision": body}


def _with_tuples(body: dict[str, object]) -> dict[str, object]:
    return {
        name: {k: tuple(v) for k, v in value.items()} if isinstance(value, dict) else value
        for name, value in body.items()
    }
