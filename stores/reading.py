"""One answer to `read` or `batches`: the rows that were asked for, each of them checked."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from stores.checksums import Words, identity_words
from stores.errors import CorruptShard, CorruptStore, MissingFeatures
from stores.index import Index
from stores.joined import Places
from stores.keys import KEY_BYTES
from stores.quarantine import find_damage, refresh, set_aside
from stores.shards import Rows


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

    def _read(self, places: Places, words: Words) -> tuple[Rows, tuple[str, str] | None]:
        joined = self._joined
        rows = joined.empty(len(places))

        def read(part: slice) -> tuple[str, str] | None:
            joined.copy(places[part], rows[part])
            return find_damage(joined, places[part], words[part], rows[part])

        parts = joined.parts(places)
        if len(parts) == 1:
            return rows, read(parts[0])
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return rows, next(filter(None, pool.map(read, parts)), None)

    def _locate(self) -> None:
        self._joined = self._index.joined
        self._places: Places = self._joined.find(self._ids)
        absent = self._places < 0
        if absent.any():
            first = self._ids[int(np.argmax(absent)), :KEY_BYTES].tobytes().hex()
            raise MissingFeatures(
                f"{int(absent.sum())} of {len(absent)} features are not stored under recipe "
                f"{self._index.recipe} (the first: image {first[:12]}…); extract them first"
            )

    def _set_aside(self, digest: str, reason: str, tried: set[str]) -> None:
        if digest in tried:
            raise CorruptStore(
                f"{reason}; the file was mended or found whole, and is read wrong again: "
                "check this machine's disk and memory"
            )
        tried.add(digest)
        set_aside(self._index, digest, reason, write=self._write)
