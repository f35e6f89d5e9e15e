"""The mirror of a store at an address: a store folder in the cache, kept up with what is there.

Its small files are fetched by `refresh`, a large one by `local`, when it is first read. What is
published is put at the address first, under its final name, and then in the mirror.
"""

import hashlib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import cache
from pathlib import Path
from typing import Self

from stores.errors import CorruptStore
from stores.storage.addresses import checked
from stores.storage.location import Found, Location, Read
from stores.storage.publish import publish_folder
from stores.storage.remote.cache import cache_limit, mirror_folder
from stores.storage.remote.folders import put_folder
from stores.storage.remote.listings import Outdated
from stores.storage.remote.objects import Remote
from stores.storage.remote.small_files import pull_small_files
from stores.storage.rules import Rules
from stores.storage.safe_files import open_regular
from stores.storage.safe_folders import remove


class Mirror(Location):
    """A store at an address, or a file or folder in one; see stores.storage.location."""

    def __init__(self, path: Path, rules: Rules, store: Path, address: str) -> None:
        super().__init__(path, rules, store)
        self.address = address  # of the store

    def __reduce__(self) -> tuple[object, ...]:
        # For another process: it may be on another machine, and has a cache of its own.
        return mirror_of, (self.address, self.rules, self._name)

    def at(self, path: Path) -> Self:
        """Return the location of another path of the same store."""
        return type(self)(path, self.rules, self.store, self.address)

    def show(self) -> str:
        """Return its address."""
        return f"{self.address}/{self._name}" if self._name else self.address

    def refresh(self) -> None:
        """Fetch the small files at and below it that are new or other at the address.

        Those that are gone there go here too.
        """
        for _ in range(2):
            with suppress(FileNotFoundError, Outdated):  # deleted or replaced since it was listed
                pull_small_files(self._remote, self.path)
                return
        pull_small_files(self._remote, self.path)

    def reread(self, read: Callable[[Path], Read]) -> Read:
        """Return what `read` makes of a file; of a damaged copy, what it makes of a new one."""
        try:
            return read(self.path)
        except CorruptStore:
            remove(self.path)
            self._remote.listings.forget()
            self.refresh()
            return read(self.path)

    def local(self, *, sha256: str = "", again: bool = False) -> Path:
        """Return where a file was fetched to; it is fetched if it is not there, or `again`.

        One whose digest is wrong a second time is damaged at the address; its reader finds it.
        """
        remote = self._remote
        if remote.stays(self.path):
            return self.path
        if again:
            remove(self.path)
        try:
            os.utime(self.path, follow_symlinks=False)  # the least recently used go first
        except FileNotFoundError:
            about = remote.listing(self.path).get(remote.name(self.path))
            remote.make_room(about.size if about else 0)
            remote.check_space(about.size if about else 0)
            for _ in range(2):
                remote.fetch([remote.name(self.path)])
                if not sha256 or self._digest() == sha256:
                    break
        return self.path

    def files(self, ending: str) -> dict[str, Found]:
        """Return the published files in a folder; of those with a copy here, the copy's size."""
        here = super().files(ending)
        if self._remote.stays(self.path):
            return here
        return {
            name: about._replace(size=here[name].size) if name in here else about
            for name, about in sorted(self._listed().items())
            if "/" not in name and name.endswith(ending)
        }

    def folders(self) -> list[Self]:
        """Return the folders in a folder in which anything is at the address."""
        names = {name.partition("/")[0] for name in self._listed() if "/" in name}
        return [self / name for name in sorted(names)]

    def about(self) -> Found | None:
        """Return the bytes of all at and below it, and the last change of any."""
        if self._remote.stays(self.path):
            return super().about()
        there = self._remote.listing(self.path).values()
        if not there:
            return None
        newest = max(there, key=lambda about: about.changed)
        return Found(sum(about.size for about in there), newest.stamp, newest.changed)

    def publish(self, content: bytes | memoryview, *, tmp: Self) -> None:
        """Put `content` at the address, and keep a copy."""
        self._remote.make_mirror()
        if not self._remote.stays(self.path):
            self._remote.put(self.path, content)
        super().publish(content, tmp=tmp)

    def publish_folder(
        self, *, tmp: Self, is_whole: Callable[[], bool] | None = None
    ) -> AbstractContextManager[Path]:
        """Give an empty folder to fill; after the block it is at the address, its record last."""

        def put(draft: Path) -> bool:
            return put_folder(self._remote, draft, self.path, is_whole)

        stays = self._remote.stays(self.path)
        self._remote.make_mirror()
        return publish_folder(
            self.path,
            tmp=tmp.path,
            rules=self.rules,
            is_whole=is_whole,
            first=None if stays else put,
        )

    def delete(self, *, tmp: Self | None = None) -> None:
        """Delete all at and below it at the address, the records first, and here."""
        if not self._remote.stays(self.path):
            self._remote.delete(self.path)
        super().delete(tmp=tmp)

    def move_to(self, target: Self) -> None:
        """Give an object another name at the address, and forget it here."""
        self._remote.move(self.path, target.path)
        remove(self.path)

    def locked(self) -> AbstractContextManager[None]:
        """Hold this file as a lock among the processes of this machine."""
        self._remote.make_mirror()
        return super().locked()

    def unfinished(self) -> list[Self]:
        """Return the folders below it without a record, but those with files that are kept."""
        names = set(self._remote.listing(self.path))
        folders = {found[0] for found in map(self.rules.recorded.match, names) if found}
        return [
            self.at(self.store / folder)
            for folder in sorted(folders)
            if names.isdisjoint(folder + record for record in self.rules.records)
            and not any(name.startswith(f"{folder}{self.rules.kept}/") for name in names)
        ]

    def absolute(self) -> Self:
        """Return it as it is: an address is the same everywhere."""
        return self

    @property
    def _name(self) -> str:
        name = self.path.relative_to(self.store).as_posix()
        return "" if name == "." else name

    @property
    def _remote(self) -> Remote:
        return _connection(self.store, self.address, cache_limit(), self.rules, os.getpid())

    def _listed(self) -> dict[str, Found]:
        """Return the objects below it, by their names below it."""
        start = len(self._name) + 1 if self._name else 0
        return {name[start:]: about for name, about in self._remote.listing(self.path).items()}

    def _digest(self) -> str:
        with open_regular(self.path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def mirror_of(address: str, rules: Rules, name: str = "") -> Mirror:
    """Return the mirror of a store's address; nothing is written, nor is the address contacted.

    Raises StoreRefused for one with credentials in it, which is not repeated, or that is none.
    """
    address, _ = checked(address), cache_limit()
    store = mirror_folder(address)
    return Mirror(store / name if name else store, rules, store, address)


@cache  # a connection is not for a child process
def _connection(store: Path, address: str, limit: int, rules: Rules, _process: int) -> Remote:
    return Remote(store, address, limit, rules)
