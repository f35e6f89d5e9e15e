"""The index: which shard and row hold which feature. Derived from the shards at any time."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stores.errors import CorruptStore, StoreFull, StoreReadOnly
from stores.keys import as_arrow, from_arrow
from stores.publish import publish_file
from stores.recipe import Recipe
from stores.shards import Rows, Shard, unpack
from stores.tables import read_table, table_bytes

FRAGMENT_VERSION = 1
# Each of Python's memory maps keeps a file open, and a process may often have 1024.
MOST_MAPS = 256
log = logging.getLogger("gargalo.store")


class Index:
    """The shards of one recipe's folder, and the lookup from identities to rows.

    Where several shards hold one feature, the one with the smallest digest is read: a rule that
    every reader follows alike, whatever the order in which the shards came.
    """

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self.folder = folder
        self.recipe = recipe
        self.damaged: dict[str, str] = {}  # digest: reason; out of every answer of this process
        self.generation = 0  # places found in one generation mean nothing in the next
        self._shards: dict[str, Shard] = {}
        self._maps: dict[str, Rows] = {}
        self._identities: pa.Array | None = None

    def __iter__(self) -> Iterator[Shard]:
        return iter(self._shards.values())

    def shard_path(self, digest: str) -> Path:
        """Where a shard lies."""
        return self.folder / "shards" / f"{digest}.h5"

    def fragment_path(self, digest: str) -> Path:
        """Where a shard's index fragment lies."""
        return self.folder / "index" / f"{digest}.parquet"

    def refresh(self) -> dict[str, str]:
        """Take in what other writers published, drop what is gone; return what is newly damaged."""
        found: dict[str, str] = {}
        sizes = shard_sizes(self.folder)
        for digest, shard in list(self._shards.items()):
            if sizes.get(digest) != shard.size:
                self.discard(digest)  # a mapping that is longer than its file ends the process
        for digest in sorted(sizes.keys() - self._shards.keys() - self.damaged.keys()):
            try:
                shard = self._load(digest)
                if sizes[digest] != shard.size:
                    raise CorruptStore(  # noqa: TRY301  one handler for all that can be wrong
                        f"shard {digest[:12]}…: the file has {sizes[digest]} bytes, "
                        f"{shard.size} were written"
                    )
                self.add(shard)
            except FileNotFoundError:
                continue  # collected or quarantined by another process just now
            except CorruptStore as error:
                found[digest] = str(error)
        self.damaged |= found
        return found

    def peek(self) -> Shard | None:
        """Return any one published shard, without taking it or the others in."""
        for digest in sorted(shard_sizes(self.folder)):
            with suppress(FileNotFoundError, CorruptStore):
                return self._load(digest)
        return None

    def add(self, shard: Shard) -> None:
        """Take in a shard that is known to be whole."""
        self.discard(shard.digest)
        self.damaged.pop(shard.digest, None)
        self._shards[shard.digest] = shard

    def discard(self, digest: str) -> None:
        """Forget a shard."""
        self._shards.pop(digest, None)
        self._maps.pop(digest, None)
        self._identities = None
        self.generation += 1

    def rows(self, shard: Shard) -> Rows:
        """Return a shard's features as a memory map.

        Raises FileNotFoundError where it is gone, CorruptStore where it is too short.
        """
        if shard.digest not in self._maps:
            if len(self._maps) >= MOST_MAPS:
                self._maps.pop(next(iter(self._maps)))
            self._maps[shard.digest] = shard.map(self.shard_path(shard.digest))
        return self._maps[shard.digest]

    def write_fragment(self, shard: Shard) -> None:
        """Publish a shard's index fragment, if that can be done: it is only a short cut."""
        table = pa.table(
            {
                "key": as_arrow(shard.keys),
                "view": pa.array(shard.views, pa.uint16()),
                "row_checksum": pa.array(shard.checksums, pa.uint64()),
            }
        )
        metadata = {
            "digest": shard.digest,
            "recipe": self.recipe.fingerprint,
            "size": shard.size,
            "offset": shard.offset,
            "dtype": shard.dtype,
            "shape": shard.shape,
            "producer": shard.producer,
        }
        content = table_bytes(
            table, kind="index fragment", version=FRAGMENT_VERSION, metadata=metadata
        )
        try:
            publish_file(content, self.fragment_path(shard.digest), tmp=self.folder / "tmp")
        except (StoreReadOnly, StoreFull) as error:
            log.debug("an index fragment is kept in memory only: %s", error)

    def find(self, wanted: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return for each of (n, 34) identities its row in the joined shards, or -1."""
        if self._identities is None:
            self._join()
        found = pc.index_in(as_arrow(wanted), value_set=self._identities)
        return np.asarray(found.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)

    def locate(
        self, places: NDArray[np.int64]
    ) -> Iterator[tuple[Shard, NDArray[np.int64], NDArray[np.int64]]]:
        """Yield (shard, positions in `places`, rows in the shard), for places that `find` found."""
        numbers = np.searchsorted(self._starts, places, side="right") - 1
        for number in np.unique(numbers):
            positions = np.flatnonzero(numbers == number)
            yield self._ordered[number], positions, places[positions] - self._starts[number]

    def __len__(self) -> int:
        """The number of different features."""
        if self._identities is None:
            self._join()
        return int(pc.count_distinct(self._identities).as_py())

    def _join(self) -> None:
        self._ordered = [self._shards[digest] for digest in sorted(self._shards)]
        self._starts = np.cumsum([0, *(len(shard.keys) for shard in self._ordered)])
        ids = [shard.identities for shard in self._ordered]
        self._identities = as_arrow(np.concatenate(ids) if ids else np.empty((0, 34), np.uint8))

    def _load(self, digest: str) -> Shard:
        try:
            return self._read_fragment(digest)
        except FileNotFoundError:
            pass  # its writer died between the rename and this, or somebody deleted it
        except CorruptStore as error:
            log.warning("%s; it is made again from its shard", error)
        shard = unpack(self.shard_path(digest), self.recipe)
        self.write_fragment(shard)
        return shard

    def _read_fragment(self, digest: str) -> Shard:
        path = self.fragment_path(digest)
        table, about = read_table(path, kind="index fragment", version=FRAGMENT_VERSION)
        if (about["digest"], about["recipe"]) != (digest, self.recipe.fingerprint):
            raise CorruptStore(f"{path}: the fragment belongs to another shard")
        return Shard(
            digest=digest,
            size=about["size"],
            offset=about["offset"],
            dtype=about["dtype"],
            shape=tuple(about["shape"]),
            producer=about["producer"],
            keys=from_arrow(table["key"]),
            views=table["view"].to_numpy(),
            checksums=table["row_checksum"].to_numpy(),
        )


def shard_sizes(folder: Path) -> dict[str, int]:
    """Return the size in bytes of each published shard of a recipe's folder, by digest."""
    sizes = {}
    for path in (folder / "shards").glob("*.h5"):
        with suppress(FileNotFoundError):  # it went away between the listing and this
            sizes[path.stem] = path.stat().st_size
    return sizes
