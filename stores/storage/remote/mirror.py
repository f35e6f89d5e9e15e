"""The mirror of a store at an address: a store folder in the cache, kept up with what is there.

Its small files are fetched where they are read, a shard when it is first mapped; all of it can be
deleted at any time. What these functions do concerns mirrors alone: of an ordinary store, paths are
what they are.
"""

import errno
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PosixPath
from typing import Any

from stores.errors import CorruptStore, StoreRefused
from stores.storage.publish import make_folder
from stores.storage.remote.addresses import (
    MARK,
    cache_folder,
    check_length,
    check_slashes,
    checked,
    folder_name,
    is_of_a_folder,
    note_mirror,
)
from stores.storage.remote.folders import LOOKS
from stores.storage.remote.listings import Listed, Outdated
from stores.storage.remote.objects import (
    MIRROR_VERSION,
    RECORDS,
    look_again,
    remote_of,
)
from stores.storage.remote.small_files import RECORDED_FOLDER, pull_small_files
from stores.storage.safe_files import create, is_file, note_root, open_regular, read_bytes
from stores.storage.safe_folders import regular_files, remove, rename

# The folders of a store, wherever it is.
PARTS = ("features", "datasets", "runs", "checkpoints", "reports", "engines", "remembered")
CACHE_BYTES = 20 * 2**30
# What a folder answers that was badly chosen, and not a disk that fails or is full.
_UNFIT = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}
_LOOK = re.compile(f"runs/[^/]+/(?={LOOKS}/)")


def mirror_of(address: str) -> Path:
    """Return the mirror of a store's address, an absolute path; nothing is asked of the address.

    Raises StoreRefused for one with credentials in it, which is not repeated; NewerFormat.
    """
    address = checked(address)
    if is_of_a_folder(address):
        return Path(address.partition("://")[2]).absolute()
    mirror = cache_folder() / folder_name(address)
    about = {"format": MIRROR_VERSION, "address": address, "limit": _limit()}
    content = json.dumps(about, indent=2)
    changed = not is_file(mirror / MARK) or read_bytes(mirror / MARK) != content.encode()
    if changed:
        look_again()
        with suppress(CorruptStore, FileNotFoundError):  # it is made anew; a newer one is not
            remote_of(mirror)
        with _cache_explained():
            make_folder(mirror)
            draft = mirror / f"{MARK}.{os.getpid()}"
            remove(draft)  # of a process of the same number, that died
            with create(draft) as file:
                file.write(content.encode())
            rename(draft, mirror / MARK)
    note_mirror(mirror)
    look_again(changed=changed)
    return mirror


def store_path(store: str | os.PathLike[str]) -> Path:
    """Return the folder of a store that is given by its folder or its address.

    Raises StoreRefused for an address that is none, or a name that is too long.
    """
    text = os.fspath(store)
    check_length(text)
    check_slashes(text)
    return note_root(mirror_of(text) if "://" in text else Path(store))


class TravellingStore(PosixPath):
    """The folder of a store for another process: where the store is at an address, its own mirror.

    It has a cache of its own, if it is on another machine.
    """

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return store_path, (shown(self),)


def shown(store: str | os.PathLike[str]) -> str:
    """Return how a store is called on a command line: its address, or its folder."""
    remote = remote_of(Path(store))
    return remote.address if remote and remote.mirror == Path(store) else os.fspath(store)


def is_store(root: Path) -> bool:
    """Tell whether there is a store, in a folder or at the address of a mirror."""
    parts = ("datasets", "features", "runs")
    return bool(at_address(root)) or any((root / part).is_dir() for part in parts)


def pull(path: Path) -> None:
    """Fetch the small files at and below a path that are new or other at the address.

    Those that are gone there go here too.
    """
    if remote := remote_of(path):
        for _ in range(2):
            with suppress(FileNotFoundError, Outdated):  # deleted or replaced since it was listed
                pull_small_files(remote, path)
                return
        pull_small_files(remote, path)


def at_address(path: Path) -> dict[Path, Listed] | None:
    """Return what the address has at and below a path; None for an ordinary store."""
    remote = remote_of(path)
    if remote is None or remote.stays(path):
        return None
    return {remote.mirror / name: about for name, about in remote.listing(path).items()}


def files_in(folder: Path, ending: str) -> list[Path]:
    """Return the published files of one kind in a folder, wherever the store is."""
    there = at_address(folder)
    if there is None:
        return regular_files(folder, ending)
    return sorted(path for path in there if path.parent == folder and path.name.endswith(ending))


def half_published(store: Path) -> list[Path]:
    """Return the folders at an address whose record is not there: their writers died, or write.

    One that holds looks at the test split had a record, and is not among them.
    """
    there = at_address(store) or {}
    names = {path.relative_to(store).as_posix() for path in there}
    folders = {found[0] for found in map(RECORDED_FOLDER.match, names) if found}
    folders -= {found[0] for found in map(_LOOK.match, names) if found}
    return sorted(store / f for f in folders if names.isdisjoint(f + record for record in RECORDS))


def local_shard(path: Path, *, again: bool = False) -> Path:
    """Return where a shard can be read, fetched if it is not there, or `again`.

    One whose digest is wrong a second time is damaged at the address; it is for the reader to find.
    """
    if not (remote := remote_of(path)):
        return path
    if again:
        remove(path)
    try:
        os.utime(path, follow_symlinks=False)  # the least recently used go first
    except FileNotFoundError:
        about = remote.listing(path).get(remote.name(path))
        remote.make_room(about.size if about else 0)
        remote.check_space(about.size if about else 0)
        for _ in range(2):
            remote.fetch([remote.name(path)])
            with open_regular(path) as file:
                if hashlib.file_digest(file, "sha256").hexdigest() == path.stem:
                    break
    return path


def delete_there(path: Path) -> None:
    """Delete what the address has at and below a path."""
    if (remote := remote_of(path)) and not remote.stays(path):
        remote.delete(path)


def move_there(source: Path, target: Path) -> bool:
    """Move an object at the address, and forget it here; tell whether the store is at one."""
    remote = remote_of(source)
    if remote:
        remote.move(source, target)
        remove(source)
    return remote is not None


@contextmanager
def _cache_explained() -> Iterator[None]:
    """Raise StoreRefused where nothing can be kept in the cache, whatever disk it is on."""
    try:
        yield
    except OSError as error:
        if error.errno not in _UNFIT:
            raise
        raise StoreRefused(
            f"{cache_folder()}: {error.strerror}; what is fetched of an address is kept there: "
            "give another folder by GARGALO_CACHE"
        ) from error


def _limit() -> int:
    given = os.environ.get("GARGALO_CACHE_BYTES") or str(CACHE_BYTES)
    if not given.isdecimal():
        raise StoreRefused(f"GARGALO_CACHE_BYTES: expected a number of bytes. Received: {given!r}")
    return int(given)
