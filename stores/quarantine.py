"""What is damaged becomes no answer: it is found by checksums, set aside, and its rest kept."""

import logging
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from stores.checksums import Words, identity_words, row_checksums, shard_checksum
from stores.errors import CorruptStore, NewerFormat, StoreFull, StoreReadOnly, explained
from stores.index import Index
from stores.joined import JoinedShards, Places
from stores.keys import Rows
from stores.layered_index import LayerIndex
from stores.mirror import delete_there, move_there
from stores.publish import make_folder, sync_folder
from stores.recipe import Recipe
from stores.safe_folders import remove, rename
from stores.shards import Shard, unpack

log = logging.getLogger("gargalo.store")

_SKIPPED = "skipped there from now on, the next extract recomputes what was lost"


def find_damage(
    joined: JoinedShards, places: Places, words: Words, rows: Rows, whole: Shard | None = None
) -> tuple[str, str] | None:
    """Return the digest of a shard that gave a row that is wrong, and what is wrong; or None.

    `words` stand for the features that were asked for, and not for those found at the places. Each
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


def set_aside(index: Index, digest: str, reason: str, *, write: Callable[..., str]) -> None:
    """Take a damaged shard out of every answer, keeping those of its rows that are whole.

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
    if whole:
        index.add(whole)
        index.write_fragment(whole)
        log.warning("%s; the shard itself is whole, its index is made again", reason)
        return
    try:
        rescued = _rescue(index, shard, write) if shard else None
        if isinstance(index, LayerIndex):
            index.skip(digest, reason)
            log.warning("%s, in the layer %s; %s", reason, index.folder, _SKIPPED)
            return
        if rescued != digest:
            _move(index, digest)
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
        rows = shard.map(index.shard_path(shard.digest))
    except (FileNotFoundError, CorruptStore):
        return None  # another process was quicker, or the file is too short
    words = identity_words(index.recipe.fingerprint, shard.identities)
    sums = row_checksums(words, rows)
    whole = np.flatnonzero(sums == shard.checksums)
    if not len(whole):
        return None
    return write(shard.keys[whole], rows[whole], views=shard.views[whole], producer=shard.producer)


def _move(index: Index, digest: str) -> None:
    source = index.shard_path(digest)
    target = index.folder / "quarantine" / source.name
    if move_there(source, target):
        delete_there(index.fragment_path(digest))
        remove(index.fragment_path(digest))
        return
    with explained(target):
        make_folder(target.parent)
        try:
            rename(source, target)
        except FileNotFoundError:
            return  # another reader was quicker
        sync_folder(target.parent)
        remove(index.fragment_path(digest))
