"""The location of a store's file or folder: all that the stores do with what is on a disk.

There are two kinds: a folder of this machine (stores.storage.local), and the mirror of an address
(stores.storage.remote.mirror). Whoever is given a location does not ask which. A location has a
`path`, where its file is read on this machine, after `refresh` or `local`.
"""

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

from pydantic_core import CoreSchema, core_schema

from stores.errors import CorruptStore
from stores.storage.safe_files import within

Read = TypeVar("Read")
# Nothing younger is collected: a writer may be between two of its steps.
GRACE_SECONDS = 3600.0
IRREGULAR = -1  # the size of what stands in a file's place: a link, a FIFO, a folder


class Found(NamedTuple):
    """What is known of a file: its bytes, what changes with its content, and when that was (s)."""

    size: int
    stamp: str
    changed: float


@dataclass(frozen=True)
class Rules:
    """How the files of a store are treated, by their names: the stores say so, in stores.layout."""

    # Files that commit their folder: they are published last, and deleted first.
    records: frozenset[str] = frozenset()
    # The beginning of the name of such a folder: it is there once its record is.
    recorded: re.Pattern[str] = re.compile("(?!)")
    # The folder in such a folder whose files stay when the others are replaced.
    kept: str = ""
    # Folders and files of one machine: they are never put at an address.
    machine: frozenset[str] = frozenset()
    # What is not refreshed with the folder above it, but for itself.
    apart: frozenset[str] = frozenset()
    # Folders whose files may be of any size.
    large: frozenset[str] = frozenset()
    # Files that are replaced under their names.
    replaced: frozenset[str] = frozenset()
    # Pattern of the files whose copies are deleted, and fetched again, to make room.
    cached: str = ""


NO_RULES = Rules()


class Location(ABC):
    """A store, or a file or folder in one; nothing need be there."""

    def __init__(self, path: Path, rules: Rules, store: Path) -> None:
        self.path = path
        self.rules = rules
        self.store = store  # the path of the store itself

    @abstractmethod
    def at(self, path: Path) -> Self:
        """Return the location of another path of the same store."""

    @abstractmethod
    def show(self) -> str:
        """Return how a person calls it: its path, or its address."""

    @abstractmethod
    def refresh(self) -> None:
        """Bring the small files at and below `path` up to date with what is stored."""

    @abstractmethod
    def refetch(self) -> bool:
        """Drop what may be a damaged copy, and refresh; tell whether there are copies."""

    @abstractmethod
    def local(self, *, sha256: str = "", again: bool = False) -> Path:
        """Return where a file can be read or mapped, fetched if it is not there, or `again`.

        Raises FileNotFoundError where it is fetched and gone. With the `sha256` of its content,
        one that came damaged is fetched a second time.
        """

    @abstractmethod
    def files(self, ending: str) -> dict[str, Found]:
        """Return the files in a folder whose names end so, in order of their names.

        What is no regular file, as a link, is there with the size IRREGULAR.
        """

    @abstractmethod
    def folders(self) -> list[Self]:
        """Return the folders in a folder in which something is stored."""

    @abstractmethod
    def is_there(self) -> bool:
        """Return whether anything is at or below it."""

    @abstractmethod
    def is_empty(self, *, but: str = "") -> bool:
        """Return whether no file is in a folder or below, but in its folder of that name."""

    @abstractmethod
    def about(self) -> Found | None:
        """Return the size and last change of all at and below it; None where nothing is."""

    @abstractmethod
    def publish(self, content: bytes | memoryview, *, tmp: Self) -> None:
        """Make `content` this file, durably and at once; `tmp` is a folder for drafts.

        Raises StoreReadOnly, StoreFull, StoreRefused, or another OSError, worth a second try.
        """

    @abstractmethod
    def publish_folder(
        self, *, tmp: Self, is_whole: Callable[[], bool] | None = None
    ) -> AbstractContextManager[Path]:
        """Give an empty folder to fill; after the block it is this folder, durably and at once.

        One that is there already is kept; but where `is_whole` then tells that it is damaged, its
        files are replaced, all but those that the rules keep. Raises what `publish` does.
        """

    @abstractmethod
    def delete(self, *, tmp: Self | None = None) -> None:
        """Delete all at and below it, if anything is; with `tmp`, at once."""

    @abstractmethod
    def clear(self, ending: str) -> None:
        """Delete the files in a folder that end so."""

    @abstractmethod
    def move_to(self, target: Self) -> None:
        """Give a file another name, where it is there."""

    @abstractmethod
    def locked(self) -> AbstractContextManager[None]:
        """Hold this file as a lock among the processes of this machine."""

    @abstractmethod
    def unfinished(self) -> list[Self]:
        """Return the folders below it whose record is missing: their writers died, or write."""

    @abstractmethod
    def check_writable(self) -> None:
        """Raise StoreReadOnly where it is plain that nothing can be written here."""

    @abstractmethod
    def check_mounted(self) -> None:
        """Raise FileNotFoundError where the folder of a store is gone, or empty."""

    @abstractmethod
    def is_vacant(self) -> bool:
        """Return whether a store may begin here: nothing else is here."""

    @abstractmethod
    def same_as(self, other: "Location") -> bool:
        """Return whether another location is this one, by whatever name."""

    @abstractmethod
    def absolute(self) -> Self:
        """Return the location as any process of this machine finds it."""

    def reread(self, read: Callable[[Path], Read]) -> Read:
        """Return what `read` makes of `path`; where a copy is damaged, of a new copy.

        Raises CorruptStore where what is stored is damaged.
        """
        try:
            return read(self.path)
        except CorruptStore:
            if not self.refetch():
                raise
            return read(self.path)

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


StoreLike = str | os.PathLike[str] | Location  # what a user may give
