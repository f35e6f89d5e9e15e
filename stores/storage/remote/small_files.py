"""Pulling: the small files of a mirror are made those that are at the address."""

import json
import logging
import re
import time
from collections.abc import Container, Iterable
from contextlib import suppress
from pathlib import Path

from stores.errors import CorruptStore
from stores.storage.json_files import read_object
from stores.storage.publish import locked
from stores.storage.remote import listings
from stores.storage.remote.addresses import MARK
from stores.storage.remote.folders import LOOKS
from stores.storage.remote.listings import Listed, below
from stores.storage.remote.objects import RECORDS, STAYS, Remote
from stores.storage.safe_files import RECORD_BYTES, create, is_file, status
from stores.storage.safe_folders import folders, regular_files, remove, rename
from stores.storage.sizes import most_in_memory

_STAMPS = "pulled.json"  # of what was fetched: by name, what its content had at the address
# Not pulled with the folder above them, nor deleted here where they are not listed there: they are
# fetched for themselves, or made here. STAYS, what is never put there, is only a part of these.
_APART = STAYS | {"shards", "index", "quarantine", "model", "checkpoints", "reports"}
_APART |= {"lock", "runs.parquet", MARK, _STAMPS}
_AS_LARGE_AS_THEY_ARE = {"model", "checkpoints", "reports"}
log = logging.getLogger("gargalo.store")
_told: set[str] = set()
# A folder that is there once its record is: one whose writer died is not pulled.
RECORDED_FOLDER = re.compile("(runs/[^/]+|checkpoints/[^/]+/[^/]+)/")


def pull_small_files(remote: Remote, path: Path) -> None:
    """Fetch the small files at and below a path that are new or other at the address.

    Those that are gone there go here too, and so do those that are larger than any of their kind.
    Raises FileNotFoundError or Outdated where one was deleted or replaced since it was listed, and
    StoreFull where they have no room.
    """
    asked, before = remote.name(path), time.time() - listings.FRESH_SECONDS
    if remote.listings.is_taken_in(asked):
        return
    listed = remote.listing(path)
    named = {name: listed[name] for name in listed if _is_small(remote, path, name, listed)}
    wanted = {name: named[name] for name in named if not _is_too_large(remote, name, named[name])}
    with locked(remote.mirror / "lock"):
        stamps = _stamps(remote)
        gone = [local for local in _small_files(path) if remote.name(local) not in wanted]
        _drop(gone, before)  # with a record its folder, of which looks may be left, or fetched now
        others = [name for name in wanted if _is_other(remote, name, wanted[name], stamps)]
        remote.check_space(sum(wanted[name].size for name in others))
        remote.fetch(others)
        new = {name: _stamp(about) for name, about in wanted.items() if about.stamp}
        if (kept := stamps | new) != stamps:
            draft = remote.mirror / f"{_STAMPS}.draft"
            remove(draft)  # of a process that died: who holds the lock is alone
            with create(draft) as file:
                file.write(json.dumps(kept).encode())
            rename(draft, remote.mirror / _STAMPS)
    remote.listings.take_in(asked)


def _is_small(remote: Remote, path: Path, name: str, listed: Container[str]) -> bool:
    """Tell whether a name is to be pulled with a path: small, and of a folder that is whole."""
    folder = RECORDED_FOLDER.match(name)
    seen = folder and below(folder[0].rstrip("/"), remote.name(path))
    if folder and seen and not any(f"{folder[0]}{record}" in listed for record in RECORDS):
        return name.startswith(f"{folder[0]}{LOOKS}/")  # they are counted all the same
    return _APART.isdisjoint((remote.mirror / name).relative_to(path).parts)


def _is_too_large(remote: Remote, name: str, about: Listed) -> bool:
    """Tell whether an object is larger than any file of its kind, and say so."""
    path = Path(name)
    if not _AS_LARGE_AS_THEY_ARE.isdisjoint(path.parts[:-1]):
        return False
    most = most_in_memory() if path.suffix == ".parquet" else RECORD_BYTES
    if about.size > most and (what := f"{remote.address}/{name}") not in _told:
        log.warning("%s: %d bytes, expected at most %d; passed over", what, about.size, most)
        _told.add(what)
    return about.size > most


def _small_files(path: Path) -> list[Path]:
    if is_file(path):
        return [path]
    kept = [inner for inner in folders(path) if inner.name not in _APART]
    files = [file for file in regular_files(path) if file.name not in _APART]
    return [*files, *(file for inner in kept for file in _small_files(inner))]


def _is_other(remote: Remote, name: str, about: Listed, stamps: dict[str, str]) -> bool:
    local = remote.mirror / name
    if (here := status(local)) is None:
        return True
    if not about.stamp or stamps.get(name) == _stamp(about):
        return False
    # What was published here has no stamp yet. By its name it is what is there, but for a manifest.
    ours = name not in stamps and here.st_size == about.size
    return not ours or local.name == "manifest.parquet"


def _drop(paths: Iterable[Path], before: float) -> None:
    """Delete what is not listed; but what was published here after the listing stays."""
    for local in paths:
        if (about := status(local)) and about.st_ctime < before:
            remove(local)
            if local.name in RECORDS:
                with suppress(OSError):
                    remove(local.parent)


def _stamps(remote: Remote) -> dict[str, str]:
    try:
        return read_object(remote.mirror / _STAMPS)
    except (FileNotFoundError, CorruptStore):
        return {}


def _stamp(about: Listed) -> str:
    return f"{about.size} {about.stamp}"
