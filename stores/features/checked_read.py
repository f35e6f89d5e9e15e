"""One call of `read` or `batches`: the requested rows, each of them checked."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from stores.errors import CorruptShard, CorruptStore, MissingFeatures
from stores.features.index import Index
from stores.features.mapped_shards import Part, Places
from stores.features.quarantine import find_damage, refresh, set_aside
from stores.features.row_checksums import Words, identity_words
from stores.keys import KEY_BYTES, Rows

_AHEAD_BYTES = 5 * 2**20  # of batches that are read at a time
_THREADS = min(8, os.cpu_count() or 1)  # more would only wait for memory


class Reading:
    """Features by their (n, 34) identities, whatever becomes of the shards while they are read.

    `write` stores rows, and gets those of a damaged shard that are whole. Raises MissingFeatures
    where a feature is not stored, here and at each read.
    """

    def __init__(self, index: Index, ids: NDArray[np.uint8], *, write: Callable[..., str]) -> None:
        self._index = index
        self._ids = ids
        self._words = identity_words(index.recipe.fingerprint, ids)
        self._write = write
        refresh(index, write=write)
        self._locate()

    def __len__(self) -> int:
        return len(self._ids)

    def rows(self, positions: NDArray[np.int64] | slice) -> Rows:
        """Return the rows at some positions of the identities, in memory, (n, *shape).

        Raises CorruptStore where the same shard is read wrong again and again.
        """
        # A damaged row may have a whole twin in another shard; each turn sets one shard aside.
        tried: set[str] = set()
        while True:
            if self._joined is not self._index.joined:
                self._locate()
            try:
                rows, damage = self._read(self._places[positions], self._words[positions])
                if damage is None:
                    return rows
                self._set_aside(*damage, tried)
            except FileNotFoundError:
                pass  # collected by another process just now
            except CorruptShard as error:
                self._set_aside(error.digest, str(error), tried)
            refresh(self._index, write=self._write)  # what others set aside, they wrote elsewhere

    def batches(
        self, order: NDArray[np.int64], size: int
    ) -> Iterator[tuple[NDArray[np.int64], Rows]]:
        """Yield (positions, rows) of so many rows each; some MiB of them are read at a time."""
        ahead = max(1, _AHEAD_BYTES // (self._joined.row_bytes * size)) * size
        for start in range(0, len(order), ahead):
            positions = order[start : start + ahead]
            rows = self.rows(positions)
            for first in range(0, len(positions), size):
                yield positions[first : first + size], rows[first : first + size]

    def _read(self, places: Places, words: Words) -> tuple[Rows, tuple[str, str] | None]:
        joined = self._joined
        rows = joined.empty(len(places))

        def read(parts: list[Part]) -> tuple[str, str] | None:
            for positions, shard in parts:
                part = places[positions], words[positions], rows[positions]
                joined.copy(part[0], part[2], in_succession=shard is not None)
                if damage := find_damage(joined, *part, shard):
                    return damage
            return None

        parts = joined.parts(places)
        share = -(-len(parts) // _THREADS)
        if share <= 1:
            return rows, read(parts)
        # Each thread has rows side by side: where two touch one page first, one waits.
        shares = [parts[first : first + share] for first in range(0, len(parts), share)]
        others = [self._threads.submit(read, parts) for parts in shares[1:]]
        found = [read(shares[0]), *(other.result() for other in others)]
        return rows, next(filter(None, found), None)

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(_THREADS, thread_name_prefix="gargalo-reading")

    def _locate(self) -> None:
        self._joined = self._index.joined
        self._places: Places = self._joined.find(self._ids)
        absent = self._places < 0
        if absent.any():
            first = self._ids[int(np.argmax(absent)), :KEY_BYTES].tobytes().hex()
            raise MissingFeatures(
                f"{int(absent.sum())} of {len(absent)} features are not stored under recipe "
                f"{self._index.recipe} (the first: image {first[:12]}…); extract them first, "
                "with `python -m flows.extract`"
            )

    def _set_aside(self, digest: str, reason: str, tried: set[str]) -> None:
        if digest in tried:
            raise CorruptStore(
                f"{reason}; the file was mended or found whole, and is read wrong again: "
                "check this machine's disk and memory"
            )
        tried.add(digest)
        set_aside(self._index.holding(digest), digest, reason, write=self._write)
