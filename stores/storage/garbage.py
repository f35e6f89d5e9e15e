"""Garbage: what no reader will ask for again. It is listed before it is deleted."""

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stores.storage.location import GRACE_SECONDS, Location
from stores.storage.publish import is_leased
from stores.storage.safe_folders import bytes_of, entries


@dataclass(frozen=True)
class Garbage:
    """One file or folder that may go, with its size in bytes and the reason."""

    place: Location
    size: int
    reason: str

    @property
    def path(self) -> Path:
        """Where it is on this machine."""
        return self.place.path


def drafts(tmp: Location, grace_seconds: float = GRACE_SECONDS) -> Iterator[Garbage]:
    """Find what writers who died left in a `tmp/` folder of this machine."""
    for path, about in entries(tmp.path):
        if not path.name.endswith(".draft"):
            continue
        with suppress(FileNotFoundError):  # its writer was done with it just now
            age = time.time() - max(about.st_mtime, about.st_ctime)
            if age > grace_seconds and not is_leased(path):
                yield Garbage(tmp / path.name, bytes_of(path), "left by a writer that died")


def aged(place: Location, reason: str, grace_seconds: float) -> Iterator[Garbage]:
    """Give a file or folder as garbage where it is there, and older than the grace time."""
    about = place.about()
    if about and time.time() - about.changed > grace_seconds:
        yield Garbage(place, about.size, reason)


def collect(garbage: Iterable[Garbage], *, delete: bool) -> list[Garbage]:
    """Return the garbage as a list; with `delete`, remove it from the disk first."""
    found = list(garbage)
    for item in found if delete else []:
        item.place.delete()
    return found
