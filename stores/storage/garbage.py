"""Garbage: what no reader will ask for again. It is listed before it is deleted."""

import math
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stores.errors import explained
from stores.storage.publish import is_leased
from stores.storage.remote.folders import GRACE_SECONDS
from stores.storage.remote.mirror import at_address, delete_there
from stores.storage.safe_files import is_folder, status
from stores.storage.safe_folders import entries, remove, walk


@dataclass(frozen=True)
class Garbage:
    """One file or folder that may go, with its size in bytes and the reason."""

    path: Path
    size: int
    reason: str


def drafts(tmp: Path, grace_seconds: float = GRACE_SECONDS) -> Iterator[Garbage]:
    """Find what writers who died left in a `tmp/` folder."""
    for path, _ in entries(tmp):
        if not path.name.endswith(".draft"):
            continue
        with suppress(FileNotFoundError):  # its writer was done with it just now
            if _age(path) > grace_seconds and not is_leased(path):
                yield Garbage(path, bytes_of(path), "left by a writer that died")


def aged(path: Path, reason: str, grace_seconds: float) -> Iterator[Garbage]:
    """Give a file or folder as garbage where it is there, and older than the grace time."""
    there = at_address(path)
    if there is None and _age(path) > grace_seconds:
        yield Garbage(path, bytes_of(path), reason)
    elif there and time.time() - max(about.changed for about in there.values()) > grace_seconds:
        yield Garbage(path, sum(about.size for about in there.values()), reason)


def collect(garbage: Iterable[Garbage], *, delete: bool) -> list[Garbage]:
    """Return the garbage as a list; with `delete`, remove it from the disk first."""
    found = list(garbage)
    for item in found if delete else []:
        delete_there(item.path)
        with explained(item.path), suppress(FileNotFoundError):
            remove(item.path)
    return found


def bytes_of(path: Path) -> int:
    """Return the size of a file, or of all files below a folder; of what a link leads to, none."""
    if is_folder(path):
        below = walk(path, pass_over=True)
        return sum(about.st_size for _, about in below if stat.S_ISREG(about.st_mode))
    if (about := status(path)) is None:
        raise FileNotFoundError(path)
    return about.st_size


def _age(path: Path) -> float:
    if (about := status(path)) is None:
        return -math.inf
    return time.time() - max(about.st_mtime, about.st_ctime)
