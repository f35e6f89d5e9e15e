"""A store at an address, as `s3://bucket/prefix`: what is listed, fetched, put and deleted there.

Everything else sees a mirror of it, a store folder in this machine's cache. There is no rename at
an address: one PUT of an object is its commit, as is the completion of a multipart upload, of which
nothing is seen before.
"""

import errno
import os
import shutil
import uuid
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from fnmatch import fnmatch
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import Any

from stores.errors import explained
from stores.storage.location import Found
from stores.storage.remote.cache import make_mirror
from stores.storage.remote.errors import reached
from stores.storage.remote.listings import Listings, Outdated, names_below
from stores.storage.rules import Rules
from stores.storage.safe_files import open_regular, status, within
from stores.storage.safe_folders import folders, make_folders, regular_files, remove, rename


class Remote:
    """The address that a mirror is of; its methods take paths below the mirror.

    Raises StoreRefused where there is no bucket, no permission or no software for it, StoreReadOnly
    where nothing can be written there, FileNotFoundError, or another OSError, worth a second try.
    """

    def __init__(self, mirror: Path, address: str, limit: int, rules: Rules) -> None:
        self.mirror = mirror
        self.address = address
        self.limit = limit  # bytes of the files in the mirror that are dropped to make room
        self.rules = rules
        self.listings = Listings(self._list)

    def make_mirror(self) -> None:
        """Make the mirror's folder, where it is not there; raises StoreRefused."""
        if make_mirror(self.mirror, self.address, self.limit):
            self.listings.forget()  # what of it was taken in is gone with the mirror

    def name(self, path: Path) -> str:
        """Return what stands for a path at the address, below its prefix."""
        name = path.relative_to(self.mirror).as_posix()
        return "" if name == "." else name

    def stays(self, path: Path) -> bool:
        """Return whether a path is this machine's alone."""
        return not self.rules.machine.isdisjoint(path.relative_to(self.mirror).parts)

    def listing(self, path: Path) -> dict[str, Found]:
        """Return the objects at and below a path, by name; as they were some seconds ago."""
        return self.listings.of(self.name(path))

    def fetch(self, names: Iterable[str]) -> None:
        """Bring objects to their paths in the mirror, each at once; the records come last."""
        ordered = sorted(names, key=lambda name: (self._is_record(name), name))
        drafts = {name: self.mirror / "tmp" / f"{uuid.uuid4().hex}.draft" for name in ordered}
        if not drafts:
            return
        self.make_mirror()
        with explained(self.mirror):
            make_folders(self.mirror / "tmp")
            try:
                with self._reached(self._at(ordered[0])):
                    self._files.get(
                        [self._at(name) for name in drafts], list(map(str, drafts.values()))
                    )
                for name, draft in drafts.items():
                    self._keep(name, draft)
            except FileNotFoundError:
                self.listings.forget()  # the listing is outdated
                raise
            finally:
                for draft in drafts.values():
                    remove(draft)

    def content(self, name: str) -> bytes:
        """Return the bytes of an object; raises FileNotFoundError."""
        with self._reached(self._at(name)):
            return bytes(self._files.cat_file(self._at(name)))

    def put(self, path: Path, content: bytes | memoryview) -> None:
        """Publish a file: when this returns, nothing that befalls this machine can undo it."""
        if PurePosixPath(self.name(path)).match(self.rules.cached):
            self.make_room(len(content))
        self._put(path, len(content), lambda at: self._files.pipe_file(at, bytes(content)))

    def make_room(self, size: int) -> None:
        """Delete the mirror's least recently used files until `size` bytes have room."""
        paths = _matching(self.mirror, PurePosixPath(self.rules.cached).parts)
        files = [(about, path) for path in paths if (about := status(path))]  # others do so too
        total = size + sum(about.st_size for about, _ in files)
        for about, path in sorted(files, key=lambda found: found[0].st_mtime):
            if total <= self.limit:
                break
            remove(path)  # who has mapped it reads on
            total -= about.st_size

    def check_space(self, size: int) -> None:
        """Raise StoreFull, before anything is fetched, where `size` bytes have no room here."""
        self.make_mirror()
        with explained(self.mirror):
            free = shutil.disk_usage(self.mirror).free
            if size > free:
                what = f"{size} bytes of {self.address}, {free} are free"
                raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)} ({what})")

    def put_file(self, source: Path, target: Path) -> None:
        """Publish a file as another path below the mirror."""
        self._put(target, source.stat().st_size, partial(self._files.put_file, str(source)))

    def put_first(self, source: Path, target: Path) -> bool:
        """Publish a file where there is none of its name; tell whether there was none."""
        was_none = True

        def put(at: str) -> None:
            nonlocal was_none
            try:
                self._files.put_file(str(source), at, mode="create")
            except FileExistsError:
                was_none = False

        self._put(target, source.stat().st_size, put)
        return was_none

    def delete(self, path: Path) -> None:
        """Delete what is at and below a path, the records first."""
        self.listings.forget()
        self.delete_names(self.listing(path))

    def delete_names(self, names: Iterable[str]) -> None:
        """Delete objects, the records first."""
        for name in sorted(names, key=lambda name: not self._is_record(name)):
            with suppress(FileNotFoundError), self._reached(self._at(name), writing=True):
                self._files.rm_file(self._at(name))
        self.listings.forget()

    def move(self, source: Path, target: Path) -> None:
        """Give an object another name, where it is there."""
        old, new = self._at(self.name(source)), self._at(self.name(target))
        with suppress(FileNotFoundError), self._reached(new, writing=True):
            self._files.cp_file(old, new)
            self._files.rm_file(old)
        self.listings.forget()

    def _is_record(self, name: str) -> bool:
        return PurePosixPath(name).name in self.rules.records

    def _put(self, path: Path, size: int, put: Callable[[str], object]) -> None:
        name = self.name(path)
        with self._reached(self._at(name), writing=True):
            put(self._at(name))
        self.listings.add(name, size)

    def _list(self, name: str) -> dict[str, Found]:
        with self._reached(self._at(name)):
            found = self._files.find(self._at(name), detail=True)
            if not found and not name:
                self._check_bucket()
            return names_below(self._base, found, address=self.address)

    def _keep(self, name: str, draft: Path) -> None:
        """Give a fetched file its name, durably."""
        about = self.listing(self.mirror / name).get(name)
        with open_regular(draft) as file:
            size = os.fstat(file.fileno()).st_size
            os.fsync(file.fileno())
        if about and about.stamp and size != about.size:
            self.listings.forget()
            raise Outdated(f"{self._at(name)}: {size} bytes came, {about.size} were listed")
        final = within(self.mirror, name)
        make_folders(final.parent)
        rename(draft, final)

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs  # a tenth of a second, which an ordinary store need not

        options = {"skip_instance_cache": True, "use_listings_cache": False}
        files, base = url_to_fs(self.address, **options)
        return files, base.rstrip("/")

    @property
    def _files(self) -> Any:  # noqa: ANN401  an fsspec file system, which has no types
        return self._opened[0]

    @property
    def _base(self) -> str:
        return self._opened[1]

    def _at(self, name: str) -> str:
        with self._reached(self.address):
            return f"{self._base}/{name}".rstrip("/")

    def _check_bucket(self) -> None:
        """Raise FileNotFoundError where nothing is found because there is no bucket."""
        bucket = self._base.partition("/")[0]
        if bucket and not self._files.exists(bucket):
            raise FileNotFoundError(errno.ENOENT, "no such bucket", bucket)

    def _reached(self, what: str, *, writing: bool = False) -> AbstractContextManager[None]:
        return reached(self.address, what, writing=writing)


def _matching(folder: Path, pattern: tuple[str, ...]) -> list[Path]:
    """Return the files below a folder that fit a pattern, a part for each folder on the way."""
    first, *rest = pattern
    if not rest:
        return [path for path in regular_files(folder) if fnmatch(path.name, first)]
    inner = [path for path in folders(folder) if fnmatch(path.name, first)]
    return [path for place in inner for path in _matching(place, tuple(rest))]
