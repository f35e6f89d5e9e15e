"""Garbage: what no reader will ask for again. It is listed before it is deleted."""

import math
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stores.errors import CorruptStore, explained
from stores.features.index import Index, shard_sizes
from stores.features.quarantine import check_rows
from stores.features.shard import Shard
from stores.storage.publish import is_leased
from stores.storage.remote.folders import GRACE_SECONDS
from stores.storage.remote.mirror import at_address, delete_there, files_in
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


def recipe_garbage(index: Index, grace_seconds: float = GRACE_SECONDS) -> Iterator[Garbage]:
    """Find the garbage in one recipe's folder: drafts, quarantined files, shadowed shards."""
    yield from drafts(index.folder / "tmp", grace_seconds)
    place = index.folder / "quarantine"
    here = [path for path, _ in entries(place) if path.suffix == ".h5"]  # links among them
    for path in sorted({*files_in(place, ".h5"), *here}):
        kept = "its whole rows were kept where it had an index"
        yield from aged(path, f"quarantined as damaged; {kept}", grace_seconds)
    published = shard_sizes(index.folder)
    for path in files_in(index.folder / "index", ".parquet"):
        if path.stem not in published:
            yield from aged(path, "an index fragment without its shard", grace_seconds)
    for digest in _shadowed(index):
        reason = "each of its features is read from another shard"
        yield from aged(index.shard_path(digest), reason, grace_seconds)


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


def _shadowed(index: Index) -> Iterator[str]:
    """Find shards of which no row is read, because whole twins of all rows are read instead."""
    for shard in list(index):
        ids = shard.identities
        joined = index.joined
        twins = joined.locate(joined.find(ids))
        if all(
            twin.digest != shard.digest and _whole(index, twin, numbers, ids[positions])
            for twin, positions, numbers in twins
        ):
            yield shard.digest


def _whole(index: Index, shard: Shard, numbers: NDArray[np.int64], ids: NDArray[np.uint8]) -> bool:
    try:
        rows = shard.map(index.local_shard(shard.digest))[numbers]
    except (FileNotFoundError, CorruptStore):
        return False
    return not check_rows(index.recipe, shard, numbers, ids, rows)


def _age(path: Path) -> float:
    if (about := status(path)) is None:
        return -math.inf
    return time.time() - max(about.st_mtime, about.st_ctime)
