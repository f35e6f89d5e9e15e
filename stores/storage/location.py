"""The location of a store's file or folder: all that the stores do with what is on a disk.

There are two kinds: a folder of this machine, where a rename commits and what is published is what
is there; and the mirror of an address (stores.storage.remote.mirror). Whoever is given a location
does not ask which. It has a `path`, where its file is read on this machine, after `refresh` or
`local`.
"""

import os
import stat
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

from pydantic_core import CoreSchema, core_schema

from stores.errors import explained
from stores.storage.publish import (
    locked,
    make_folder,
    publish_file,
    publish_folder,
    sync_folder,
)
from stores.storage.rules import Rules
from stores.storage.safe_files import note_root, status, within
from stores.storage.safe_folders import bytes_of, entries, folders, remove, rename

Read = TypeVar("Read")
# Nothing younger is collected: a writer may be between two of its steps.
GRACE_SECONDS = 3600.0
IRREGULAR = -1  # the size of what stands in a file's place: a link, a FIFO, a folder


class Found(NamedTuple):
    """What is known of a file: its bytes, what changes with its content, and when that was (s)."""

    size: int
    stamp: str
    changed: float


class Location:
    """A store, or a file or folder in one, here in a folder of this machine.

    Nothing need be there.
    """

    def __init__(self, path: Path, rules: Rules, store: Path) -> None:
        self.path = path
        self.rules = rules
        self.store = store  # the path of the store itself

    def __reduce__(self) -> tuple[object, ...]:
        return local_folder, (self.store, self.rules, self.path)

    def at(self, path: Path) -> Self:
        """Return the location of another path of the same store."""
        return type(self)(path, self.rules, self.store)

    def show(self) -> str:
        """Return how a person calls it: its path as it was given, or its address."""
        return str(self.path)

    def refresh(self) -> None:
        """Bring the small files at and below `path` up to date with what is stored."""

    def reread(self, read: Callable[[Path], Read]) -> Read:
        """Return what `read` makes of `path`; where a copy is damaged, of a new copy.

        Raises CorruptStore where what is stored is damaged.
        """
        return read(self.path)

    def local(self, *, sha256: str = "", again: bool = False) -> Path:  # noqa: ARG002
        """Return where a file can be read or mapped, fetched if it is not there, or `again`.

        Raises FileNotFoundError where it is fetched and gone. With the `sha256` of its content,
        one that came damaged is fetched a second time.
        """
        return self.path

    def files(self, ending: str) -> dict[str, Found]:
        """Return the files in a folder whose names end so, in order of their names.

        What is no regular file, as a link, is there with the size IRREGULAR.
        """
        return {
            path.name: Found(
                about.st_size if stat.S_ISREG(about.st_mode) else IRREGULAR,
                str(about.st_mtime_ns),
                max(about.st_mtime, about.st_ctime),
            )
            for path, about in entries(self.path)
            if path.name.endswith(ending)
        }

    def folders(self) -> list[Self]:
        """Return the folders in a folder; links to others are logged, and not among them.

        At an address there are those in which something is stored.
        """
        return [self.at(path) for path in folders(self.path)]

    def about(self) -> Found | None:
        """Return the bytes of all at and below it, and its last change; None where nothing is."""
        if (about := status(self.path)) is None:
            return None
        changed = max(about.st_mtime, about.st_ctime)
        return Found(bytes_of(self.path), str(about.st_mtime_ns), changed)

    def publish(self, content: bytes | memoryview, *, tmp: Self) -> None:
        """Make `content` this file, durably and at once; `tmp` is a folder for drafts.

        Raises StoreReadOnly, StoreFull, StoreRefused, or another OSError, worth a second try.
        """
        publish_file(content, self.path, tmp=tmp.path)

    def publish_folder(
        self, *, tmp: Self, is_whole: Callable[[], bool] | None = None
    ) -> AbstractContextManager[Path]:
        """Give an empty folder to fill; after the block it is this folder, durably and at once.

        One that is there already is kept; but where `is_whole` then tells that it is damaged, its
        files are replaced, all but those that the rules keep. Raises what `publish` does.
        """
        return publish_folder(self.path, tmp=tmp.path, is_whole=is_whole, rules=self.rules)

    def delete(self, *, tmp: Self | None = None) -> None:
        """Delete all at and below it, if anything is; with `tmp`, a rename takes it away at once.

        Of what is at an address the records go first.
        """
        gone = self.path
        with explained(self.path), suppress(FileNotFoundError):
            if not status(gone):
                return
            if tmp is not None:
                gone = tmp.path / f"{uuid.uuid4().hex}.draft"
                make_folder(gone.parent)
                rename(self.path, gone)
            remove(gone)
            sync_folder(self.path.parent)

    def move_to(self, target: Self) -> None:
        """Give a file another name, durably, where it is there."""
        with explained(target.path):
            make_folder(target.path.parent)
            with suppress(FileNotFoundError):  # another process was quicker
                rename(self.path, target.path)
                sync_folder(target.path.parent)

    def locked(self) -> AbstractContextManager[None]:
        """Hold this file as a lock among the processes of this machine."""
        return locked(self.path)

    def unfinished(self) -> list[Self]:
        """Return the folders below it whose record is missing: their writers died, or write.

        There are none on this machine: here a folder appears with its record.
        """
        return []

    def same_as(self, other: "Location") -> bool:
        """Return whether another location is this one, by whatever name."""
        mine, others = self.path, other.path
        return self == other or (mine.exists() and others.exists() and mine.samefile(others))

    def absolute(self) -> Self:
        """Return the location as any process of this machine finds it."""
        return type(self)(self.path.absolute(), self.rules, note_root(self.store.absolute()))

    def within(self, name: str) -> Self:
        """Return the location of a name that is data, below this; raises UnsafeName."""
        return self.at(within(self.path, name))

    @classmethod
    def __get_pydantic_core_schema__(cls, _kind: object, _handler: object) -> CoreSchema:
        """Have pydantic take a location as it is, and write it into JSON as it is shown."""
        shown = core_schema.plain_serializer_function_ser_schema(str, when_used="json")
        return core_schema.is_instance_schema(Location, serialization=shown)

    def __truediv__(self, name: str) -> Self:
        return self.at(self.path / name)

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.name

    @property
    def parent(self) -> Self:
        """The folder it is in."""
        return self.at(self.path.parent)

    def __str__(self) -> str:
        return self.show()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.show()!r})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.show() == str(other)

    def __hash__(self) -> int:
        return hash(self.show())


def local_folder(store: Path, rules: Rules, path: Path | None = None) -> Location:
    """Return the location of a store in a folder, or of a path in it."""
    return Location(path or note_root(store), rules, note_root(store))


StoreLike = str | os.PathLike[str] | Location  # what a user may give
