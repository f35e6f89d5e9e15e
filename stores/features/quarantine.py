"""What is damaged becomes no answer: it is found by checksums, set aside, and its rest kept."""

import logging
from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from stores.errors import CorruptStore, NewerFormat, StoreFull, StoreReadOnly
from stores.features.index import Index
from stores.features.layered_index import LayerIndex
from stores.features.mapped_shards import JoinedShards, Places
from stores.features.recipe import Recipe
from stores.features.row_checksums import (
    Words,
    contradictory,
    identity_words,
    row_checksums,
    shard_checksum,
)
from stores.features.shard import Shard, unpack
from stores.keys import Rows

log = logging.getLogger("gargalo.store")

_SKIPPED = "skipped there from now on, the next extract recomputes what was lost"


def find_damage(
    joined: JoinedShards, places: Places, words: Words, rows: Rows, whole: Shard | None = None
) -> tuple[str, str] | None:
    """Return the digest of a shard that gave a row that is wrong, and what is wrong; or None.

    `words` stand for the requested features, and not for those found at the places. Each
    row is checked alone; or where they are the `whole` of a shard in its order, all at once.
    """
    if whole and shard_checksum(words, rows) == whole.checksum:
        return None
    actual = row_checksums(words, rows)
    wrong = (actual != joined.checksums[places]).nonzero()[0]
    if not len(wrong):
        return None
    shard, positions, numbers = next(joined.locate(places[wrong]))
    return shard.digest, _damage(shard, numbers, actual[wrong[positions]])


def check_rows(
    recipe: Recipe, shard: Shard, numbers: NDArray[np.int64], ids: NDArray[np.uint8], rows: Rows
) -> str:
    """Return what is wrong with the rows read from a shard for `ids`, or an empty text."""
    actual = row_checksums(identity_words(recipe.fingerprint, ids), rows)
    wrong = np.flatnonzero(actual != shard.checksums[numbers])
    return _damage(shard, numbers[wrong], actual[wrong]) if len(wrong) else ""


def _damage(shard: Shard, numbers: NDArray[np.int64], actual: NDArray[np.uint64]) -> str:
    others = f" (and {len(numbers) - 1} more rows)" if len(numbers) > 1 else ""
    return (
        f"shard {shard.digest[:12]}…: row {int(numbers[0])} has checksum {int(actual[0]):016x}, "
        f"stored {int(shard.checksums[numbers[0]]):016x}{others}"
    )


def refresh(index: Index, *, write: Callable[..., str]) -> None:
    """Take in what other writers published, and set aside what is found damaged there."""
    for part in index.parts:
        for digest, reason in part.refresh().items():
            set_aside(part, digest, reason, write=write)
    set_aside_odd(index, write=write)


def set_aside_odd(index: Index, *, write: Callable[..., str]) -> dict[str, str]:
    """Set aside the shards whose rows have another shape than the others; return the reasons."""
    changes = sum(part.changes for part in index.parts)
    if changes == index.changes_compared:
        return {}
    found: dict[str, str] = {}
    if len({shard.shape for part in index.parts for shard in part}) > 1:
        for part in index.parts:
            part.ask_the_shards()  # it may be a fragment that is wrong
        shape = usual_shape(index)
        odd = [(part, shard) for part in index.parts for shard in part if shard.shape != shape]
        for part, shard in odd:
            reason = found[shard.digest] = (
                f"shard {shard.digest[:12]}…: its rows have shape {shard.shape}, those of the "
                f"other shards of this recipe {shape}"
            )
            set_aside(part, shard.digest, reason, write=write, shape=shape)
    index.changes_compared = sum(part.changes for part in index.parts)
    return found


def usual_shape(index: Index) -> tuple[int, ...] | None:
    """Return the shape of most rows: in one's own store, or else in the first layer with any."""
    for part in index.parts:
        rows: Counter[tuple[int, ...]] = Counter()
        for shard in part:
            rows[shard.shape] += len(shard.keys)
        if rows:
            return max(rows, key=lambda shape: (rows[shape], shape))
    return None


def set_aside(
    index: Index,
    digest: str,
    reason: str,
    *,
    write: Callable[..., str],
    shape: tuple[int, ...] | None = None,
) -> None:
    """Take a damaged shard out of every answer, keeping those of its rows that are whole.

    `shape` is that of the other shards' rows, where this one's is another.

    The whole rows are published in a new shard first; then the file moves to `quarantine/`. That of
    a layer stays there, and one's own store remembers to skip it. In a store that cannot be
    written, this process alone skips the shard, as it does one of a newer format. Each is said. A
    shard whose file is whole stays: then its index fragment was wrong, or another process has
    mended it.
    """
    shard = next((shard for shard in index if shard.digest == digest), None)
    index.discard(digest)
    index.damaged[digest] = reason
    try:
        whole = _reread(index, digest)
    except NewerFormat as error:
        log.warning("%s; skipped, and left as it is: %s", reason, error)
        return
    if whole and shape in {None, whole.shape}:
        index.add(whole)
        index.write_fragment(whole)
        log.warning("%s; the shard itself is whole, its index is made again", reason)
        return
    try:
        rescued = _rescue(index, shard, write) if shard and shape is None else None
        if isinstance(index, LayerIndex):
            index.skip(digest, reason)
            log.warning("%s, in the layer %s; %s", reason, index.place, _SKIPPED)
            return
        if rescued != digest:
            place = index.shard_place(digest)
            place.move_to(index.place / "quarantine" / place.name)
            index.fragment_place(digest).delete()
    except (StoreReadOnly, StoreFull) as error:
        log.warning("%s; skipped, for it cannot be set aside: %s", reason, error)
    else:
        index.damaged.pop(digest, None)
        mended = "written again from its rows, nothing was lost"  # the same rows, the same file
        lost = "quarantined, the next extract recomputes what was lost"
        log.warning("%s; %s", reason, mended if rescued == digest else lost)


def _reread(index: Index, digest: str) -> Shard | None:
    try:  # from an address: the copy here may be what is damaged
        path = index.local_shard(digest, again=True)
    except FileNotFoundError:
        return None
    try:
        shard = unpack(path, index.recipe)
        rows = shard.map(path)
    except (CorruptStore, OSError):
        return None
    numbers = np.arange(len(shard.keys))
    damage = check_rows(index.recipe, shard, numbers, shard.identities, rows)
    return None if damage else shard


def _rescue(index: Index, shard: Shard, write: Callable[..., str]) -> str | None:
    try:
        rows = shard.map(index.shard_place(shard.digest).path)
    except (FileNotFoundError, CorruptStore):
        return None  # another process was quicker, or the file is too short
    words = identity_words(index.recipe.fingerprint, shard.identities)
    sums = row_checksums(words, rows)
    finite = np.isfinite(rows).reshape(len(rows), -1).all(axis=1)
    whole = np.flatnonzero(
        (sums == shard.checksums) & finite & ~contradictory(shard.identities, sums)
    )
    if not len(whole):
        return None
    return write(shard.keys[whole], rows[whole], views=shard.views[whole], producer=shard.producer)
