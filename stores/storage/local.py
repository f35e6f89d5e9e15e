"""A store in a folder of this machine: a rename commits, and what is published is what is there."""

import stat
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Self

from stores.errors import explained
from stores.storage.location import IRREGULAR, Found, Location, Rules
from stores.storage.publish import (
    check_writable,
    locked,
    make_folder,
    publish_file,
    publish_folder,
    sync_folder,
)
from stores.storage.safe_files import IrregularFile, is_folder, note_root, status
from stores.storage.safe_folders import bytes_of, entries, folders, remove, rename, walk


class LocalFolder(Location):
    """A store in a folder, or a file or folder in one."""

    def __reduce__(self) -> tuple[object, ...]:
        return local_folder, (self.store, self.rules, self.path)

    def at(self, path: Path) -> Self:
        """Return the location of another path of the same store."""
        return type(self)(path, self.rules, self.store)

    def show(self) -> str:
        """Return its path, as it was given."""
        return str(self.path)

    def refresh(self) -> None:
        """Do nothing: what is stored is what is there."""

    def refetch(self) -> bool:
        """Return False: there is no other copy."""
        return False

    def local(self, *, sha256: str = "", again: bool = False) -> Path:  # noqa: ARG002
        """Return the path of the file itself."""
        return self.path

    def files(self, ending: str) -> dict[str, Found]:
        """Return what is in a folder under such names; what is no regular file has no size."""
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
        """Return the folders in a folder; links to others are logged, and not among them."""
        return [self.at(path) for path in folders(self.path)]

    def is_there(self) -> bool:
        """Return whether anything is there, be it an empty folder."""
        return status(self.path) is not None

    def is_empty(self, *, but: str = "") -> bool:
        """Return whether no file is in a folder or below, but in its folder of that name."""
        try:
            return all(
                (but and path.parent == self.path / but) or stat.S_ISDIR(about.st_mode)
                for path, about in walk(self.path)
            )
        except IrregularFile:  # so deep that nobody looks
            return False

    def about(self) -> Found | None:
        """Return the bytes of all at and below it, and when it was changed itself."""
        if (about := status(self.path)) is None:
            return None
        changed = max(about.st_mtime, about.st_ctime)
        return Found(bytes_of(self.path), str(about.st_mtime_ns), changed)

    def publish(self, content: bytes | memoryview, *, tmp: Self) -> None:
        """Make `content` this file, durably and at once."""
        publish_file(content, self.path, tmp=tmp.path)

    def publish_folder(
        self, *, tmp: Self, is_whole: Callable[[], bool] | None = None
    ) -> AbstractContextManager[Path]:
        """Give an empty folder to fill; after the block it is this folder."""
        return publish_folder(self.path, tmp=tmp.path, is_whole=is_whole, rules=self.rules)

    def delete(self, *, tmp: Self | None = None) -> None:
        """Delete all at and below it; with `tmp`, a rename takes it away at once."""
        gone = self.path
        with explained(self.path), suppress(FileNotFoundError):
            if tmp is not None:
                gone = tmp.path / f"{uuid.uuid4().hex}.draft"
                make_folder(gone.parent)
                rename(self.path, gone)
            if status(gone):
                remove(gone)
                sync_folder(self.path.parent)

    def clear(self, ending: str) -> None:
        """Delete the files in a folder that end so, links among them."""
        with explained(self.path):
            for path, _ in entries(self.path):
                if path.name.endswith(ending):
                    remove(path)

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
        """Return none: a folder appears here with its record."""
        return []

    def check_writable(self) -> None:
        """Raise StoreReadOnly where the nearest folder that is there cannot be written."""
        check_writable(self.path)

    def check_mounted(self) -> None:
        """Raise FileNotFoundError where the folder of a store is gone, or empty."""
        if not is_folder(self.path):
            raise FileNotFoundError(f"{self.path}: there is no such folder")
        if not any(self.path.iterdir()):  # it is waited for, or a mount is gone
            raise FileNotFoundError(f"{self.path}: the folder is empty")

    def is_vacant(self) -> bool:
        """Return whether it is an empty folder."""
        return self.path.is_dir() and not any(self.path.iterdir())

    def same_as(self, other: Location) -> bool:
        """Return whether another location is this folder, by whatever name."""
        return self.path.exists() and other.path.exists() and self.path.samefile(other.path)

    def absolute(self) -> Self:
        """Return it with its whole path."""
        return type(self)(self.path.absolute(), self.rules, note_root(self.store.absolute()))


def local_folder(store: Path, rules: Rules, path: Path | None = None) -> LocalFolder:
    """Return the location of a store in a folder, or of a path in it."""
    return LocalFolder(path or note_root(store), rules, note_root(store))
