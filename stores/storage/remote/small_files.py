"""Pulling: the small files of a mirror are made those that are at the address."""

import json
import logging
import time
from collections.abc import Container, Iterable
from contextlib import suppress
from pathlib import Path

from stores.errors import CorruptStore
from stores.storage.json_files import read_object
from stores.storage.location import Found
from stores.storage.publish import locked
from stores.storage.remote import listings
from stores.storage.remote.cache import MARK
from stores.storage.remote.listings import below
from stores.storage.remote.objects import Remote
from stores.storage.safe_files import RECORD_BYTES, create, is_file, status
from stores.storage.safe_folders import folders, regular_files, remove, rename
from stores.storage.sizes import most_in_memory

_STAMPS = "pulled.json"  # of what was fetched: by name, what its content had at the address
_OWN = {MARK, _STAMPS, "lock"}  # files of the mirror itself
log = logging.getLogger("gargalo.store")
_logged: set[str] = set()


def pull_small_files(remote: Remote, path: Path) -> None:
    """Fetch the small files at and below a path that are new or other at the address.

    Those that are gone there go here too, and so do those that are larger than any of their kind.
    Raises FileNotFoundError or Outdated where one was deleted or replaced since it was listed, and
    StoreFull where they have no room.
    """
    requested, before = remote.name(path), time.time() - listings.FRESH_SECONDS
    remote.make_mirror()
    if remote.listings.is_taken_in(requested):
        return
    listed = remote.listing(path)
    named = {name: listed[name] for name in listed if _is_small(remote, path, name, listed)}
    wanted = {name: named[name] for name in named if not _is_too_large(remote, name, named[name])}
    with locked(remote.mirror / "lock"):
        stamps = _stamps(remote)
        gone = [local for local in _small_files(remote, path) if remote.name(local) not in wanted]
        _drop(
            remote, gone, before
        )  # with a record its folder, of which looks may be left, or fetched now
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
    remote.listings.take_in(requested)


def _is_small(remote: Remote, path: Path, name: str, listed: Container[str]) -> bool:
    """Return whether a name is to be pulled with a path: small, and of a folder that is whole."""
    rules = remote.rules
    folder = rules.recorded.match(name)
    seen = folder and below(folder[0].rstrip("/"), remote.name(path))
    if folder and seen and not any(f"{folder[0]}{record}" in listed for record in rules.records):
        return name.startswith(f"{folder[0]}{rules.kept}/")  # they are counted all the same
    return _apart(remote).isdisjoint((remote.mirror / name).relative_to(path).parts)


def _is_too_large(remote: Remote, name: str, about: Found) -> bool:
    """Return whether an object is larger than any file of its kind, and say so."""
    path = Path(name)
    if not remote.rules.large.isdisjoint(path.parts[:-1]):
        return False
    most = most_in_memory() if path.suffix == ".parquet" else RECORD_BYTES
    if about.size > most and (what := f"{remote.address}/{name}") not in _logged:
        log.warning("%s: %d bytes, expected at most %d; passed over", what, about.size, most)
        _logged.add(what)
    return about.size > most


def _small_files(remote: Remote, path: Path) -> list[Path]:
    if is_file(path):
        return [path]
    kept = [inner for inner in folders(path) if inner.name not in _apart(remote)]
    files = [file for file in regular_files(path) if file.name not in _apart(remote)]
    return [*files, *(file for inner in kept for file in _small_files(remote, inner))]


def _apart(remote: Remote) -> frozenset[str]:
    """Return the names of what is not refreshed with the folder above it, nor deleted here."""
    return remote.rules.apart | remote.rules.machine | _OWN


def _is_other(remote: Remote, name: str, about: Found, stamps: dict[str, str]) -> bool:
    local = remote.mirror / name
    if (here := status(local)) is None:
        return True
    if not about.stamp or stamps.get(name) == _stamp(about):
        return False
    # What was published here has no stamp yet. Few files are replaced under their names.
    ours = name not in stamps and here.st_size == about.size
    return not ours or local.name in remote.rules.replaced


def _drop(remote: Remote, paths: Iterable[Path], before: float) -> None:
    """Delete what is not listed; but what was published here after the listing stays."""
    for local in paths:
        if (about := status(local)) and about.st_ctime < before:
            remove(local)
            if local.name in remote.rules.records:
                with suppress(OSError):
                    remove(local.parent)


def _stamps(remote: Remote) -> dict[str, str]:
    try:
        return read_object(remote.mirror / _STAMPS)
    except (FileNotFoundError, CorruptStore):
        return {}


def _stamp(about: Found) -> str:
    return f"{about.size} {about.stamp}"
