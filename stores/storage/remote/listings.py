"""What was listed at an address, remembered for a moment: reading asks for it again and again."""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from stores.errors import StoreRefused
from stores.storage.location import Found
from stores.storage.safe_files import UnsafeName, within

FRESH_SECONDS = 2.0  # a listing this young is used again


class Outdated(OSError):
    """What came is not what was listed: it was replaced meanwhile, or cut off on its way."""


class Listings:
    """The listings of one address, by the name of the folder or file; `ask` makes a new one."""

    def __init__(self, ask: Callable[[str], dict[str, Found]]) -> None:
        self._ask = ask
        self._made: dict[str, tuple[float, dict[str, Found]]] = {}
        self._taken_in: dict[str, float] = {}
        self._put: dict[str, tuple[float, Found]] = {}
        self._forgotten = 0  # times
        self._held = threading.RLock()  # two shards are computed at a time

    def of(self, name: str) -> dict[str, Found]:
        """Return the objects at and below a name, as they were `FRESH_SECONDS` ago or later."""
        with self._held:
            if known := self._fresh(name):
                return {found: about for found, about in known[1].items() if below(found, name)}
            began, forgotten = time.monotonic(), self._forgotten
        found = self._ask(name)
        with self._held:
            # What was put during the listing may be missing in it; what was deleted is not in it.
            news = {put: about for put, (when, about) in self._put.items() if when >= began}
            found |= {put: about for put, about in news.items() if below(put, name)}
            if forgotten == self._forgotten:
                self._made[name] = (began, found)
            return dict(found)

    def is_taken_in(self, name: str) -> bool:
        """Return whether all that is listed there was taken in, and nothing newer is known."""
        known = self._fresh(name)
        return known is not None and self._taken_in.get(name) == known[0]

    def take_in(self, name: str) -> None:
        """Note that all that is listed there was taken in."""
        if known := self._fresh(name):
            self._taken_in[name] = known[0]

    def add(self, name: str, size: int) -> None:
        """Note what this process has put."""
        about = Found(size, "", time.time())  # its stamp is not known
        with self._held:
            self._put[name] = (time.monotonic(), about)
            for folder, (_, listed) in self._made.items():
                if below(name, folder):
                    listed[name] = about

    def forget(self) -> None:
        """Ask for each anew."""
        with self._held:
            self._forgotten += 1
            self._made.clear()
            self._put.clear()

    def _fresh(self, name: str) -> tuple[float, dict[str, Found]] | None:
        now = time.monotonic()
        with self._held:
            made = [made for folder, made in self._made.items() if below(name, folder)]
        return max((m for m in made if now - m[0] < FRESH_SECONDS), default=None, key=_when)


def names_below(base: str, found: Mapping[str, Any], *, address: str) -> dict[str, Found]:
    """Return what an fsspec file system listed, by its name below a store's prefix, the base.

    Whoever may write there may give an object any name. Raises StoreRefused for one that is no
    file's of a store: it would be written elsewhere.
    """
    named = {}
    for full, about in found.items():
        name = full.removeprefix(f"{base}/") if full != base else "/"
        if name.endswith("/") and not about["size"]:
            continue  # what some software puts where a folder is meant
        try:
            within(Path(), name if name != full else "..")
        except UnsafeName:
            raise StoreRefused(
                f"{address}: an object there has the name {full!r}, which no file of a store has; "
                "nothing is fetched: have that object deleted, or give another --store"
            ) from None
        named[name] = found_of(about)
    return named


def below(name: str, folder: str) -> bool:
    """Return whether a name is at or below another."""
    return not folder or name == folder or name.startswith(f"{folder}/")


def found_of(about: Mapping[str, Any]) -> Found:
    """Return what matters of what an fsspec file system says of a file."""
    names = ("LastModified", "last_modified", "updated", "mtime", "created")
    # Of Google's, "updated" is a text, and "mtime" the same as a time.
    times = (about.get(name) for name in names)
    changed = next((t for t in times if t and isinstance(t, datetime | float | int)), 0.0)
    stamp = about.get("ETag") or about.get("etag") or changed
    seconds = changed.timestamp() if isinstance(changed, datetime) else float(changed)
    return Found(int(about["size"] or 0), str(stamp), seconds)


def _when(made: tuple[float, object]) -> float:
    return made[0]
