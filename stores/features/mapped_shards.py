"""The shards of one recipe joined as if they were one: identities to places, places to rows.

Their files are mapped one after the other into a single range of addresses. So rows of a hundred
shards are gathered by one call of NumPy's, where a call a shard made a shuffled batch of 64 take
thirty times as long; and no file has to stay open, as it has for each of Python's own maps.
"""

import ctypes
import math
import mmap
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stores.errors import CorruptShard
from stores.features.shard import Shard
from stores.features.shard_structure import ALIGNMENT
from stores.keys import IDENTITY_BYTES, Rows, as_arrow
from stores.storage.safe_files import open_regular

Places = NDArray[np.int64]  # (n,): a place is the number of a row, counted over all shards

_PART_BYTES = 2**19  # of rows that a thread copies, and checks while they are in its caches
_WORTH_TAKING_WHOLE = 256  # rows of a shard: fewer are gathered and checked one by one
_PAGE = mmap.ALLOCATIONGRANULARITY
_MAP_FIXED = 0x10  # on Linux as on macOS; Python's mmap does not know it, and cannot say where
_libc = ctypes.CDLL(None, use_errno=True)
_c_mmap = ctypes.CFUNCTYPE(
    ctypes.c_void_p,
    *(ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int64),
    use_errno=True,
)(("mmap", _libc))


class Part(NamedTuple):
    """Some of the requested places; `shard` where they are all of its rows, in order."""

    positions: slice
    shard: Shard | None = None


class JoinedShards:
    """Shards as they were at one moment; when one has come or gone, these are joined anew.

    Where several shards hold one feature, the one with the smallest digest is read: a rule that
    every reader follows alike, whatever the order in which the shards came. Those of a smaller
    `rank`, by their digest, go before.
    """

    def __init__(
        self,
        shards: Iterable[Shard],
        path: Callable[[str], Path],
        *,
        rank: Callable[[str], int] = lambda _: 0,
    ) -> None:
        self.shards = sorted(shards, key=lambda shard: (rank(shard.digest), shard.digest))
        self.counts = np.array([len(shard.keys) for shard in self.shards], np.int64)
        self.starts = np.cumsum([0, *self.counts])
        self.shard_of = np.repeat(np.arange(len(self.shards)), self.counts)  # each place's
        self._path = path
        self._is_mapped = np.zeros(len(self.shards), np.bool_)
        self._all_mapped = False
        self._mapping = threading.Lock()
        self._found = np.empty((0, IDENTITY_BYTES), np.uint8), np.empty(0, np.int64)

    @cached_property
    def identities(self) -> pa.Array:
        """The identity of each place."""
        joined = np.empty((int(self.starts[-1]), IDENTITY_BYTES), np.uint8)
        for shard, start in zip(self.shards, self.starts[:-1].tolist(), strict=True):
            joined[start : start + len(shard.keys)] = shard.identities
        return as_arrow(joined)

    @cached_property
    def checksums(self) -> NDArray[np.uint64]:
        """The stored checksum of each place's row."""
        return np.concatenate([np.empty(0, np.uint64), *(s.checksums for s in self.shards)])

    @cached_property
    def row_bytes(self) -> int:
        """The size of one row."""
        return max(1, self.empty(1).nbytes)

    @property
    def distinct(self) -> int:
        """The number of different features."""
        return int(pc.count_distinct(self.identities).as_py())

    def find(self, wanted: NDArray[np.uint8]) -> Places:
        """Return for each of (n, 34) identities, which are kept here, its place, or -1."""
        if not np.array_equal(wanted, self._found[0]):  # each epoch has the same request
            found = pc.index_in(as_arrow(wanted), value_set=self.identities)
            places = found.fill_null(-1).to_numpy(zero_copy_only=False)
            self._found = wanted, np.array(places, np.int64)
            for kept in self._found:
                kept.flags.writeable = False
        return self._found[1]

    def locate(self, places: Places) -> Iterator[tuple[Shard, Places, Places]]:
        """Yield (shard, positions in `places`, rows in the shard) of each shard that has some."""
        numbers = self.shard_of[places]
        for number in np.unique(numbers):
            positions = np.flatnonzero(numbers == number)
            yield self.shards[number], positions, places[positions] - self.starts[number]

    def parts(self, places: Places) -> list[Part]:
        """Cut places into parts for a core's cache, and parts that are all rows of a shard."""
        step = _PART_BYTES // self.row_bytes + 1
        parts, done = [], 0
        for begin, end, shard in [*self._whole(places), (len(places), len(places), None)]:
            parts += [Part(slice(at, min(at + step, begin))) for at in range(done, begin, step)]
            if shard:
                parts.append(Part(slice(begin, end), shard))
            done = end
        return parts

    def _whole(self, places: Places) -> list[tuple[int, int, Shard]]:
        """Return where, among places, there are all rows of a large shard in their order."""
        if len(places) < _WORTH_TAKING_WHOLE:
            return []
        begins = np.flatnonzero(places == self.starts[self.shard_of[places]])
        numbers = self.shard_of[places[begins]]
        last = begins + self.counts[numbers] - 1
        run = np.cumsum(np.diff(places, prepend=places[:1]) != 1)
        whole = (self.counts[numbers] >= _WORTH_TAKING_WHOLE) & (last < len(places))
        whole &= run[begins] == run[np.minimum(last, len(places) - 1)]
        return [
            (begin, end, self.shards[number])
            for begin, end, number in zip(
                begins[whole].tolist(),
                (last[whole] + 1).tolist(),
                numbers[whole].tolist(),
                strict=True,
            )
        ]

    def empty(self, count: int) -> Rows:
        """Return an array for so many rows, (count, *shape)."""
        if not self.shards:
            return np.empty((0, 0), np.float32)
        return np.empty((count, *self.shards[0].shape), self.shards[0].dtype)

    def copy(self, places: Places, into: Rows, *, in_succession: bool = False) -> None:
        """Copy the rows at some places, not yet checked, into an array (n, *shape).

        Rows that lie one after the other in one shard are copied at once, if that is said. Raises
        FileNotFoundError where a shard is gone, CorruptShard where its size has changed.
        """
        if not len(places):
            return
        if not self._all_mapped:
            self._map(np.unique(self.shard_of[places]))
        mapped = self._mapped
        out = into.reshape(-1, mapped.cells.shape[1])
        if in_succession:
            first = mapped.first_cell[places[0]]
            out[:] = mapped.cells[first : first + len(out)]
            return
        cells = mapped.first_cell[places]
        if mapped.cells_a_row > 1:
            cells = (cells[:, None] + np.arange(mapped.cells_a_row)).ravel()
        mapped.cells.take(cells, axis=0, out=out, mode="clip")  # which needs no buffer

    def _map(self, numbers: NDArray[np.int64]) -> None:
        """Map the files of shards, by their numbers, where they are not mapped yet."""
        with self._mapping:
            for number in numbers[~self._is_mapped[numbers]].tolist():
                shard = self.shards[number]
                _map_file(self._path(shard.digest), shard, self._mapped.addresses[number])
                self._is_mapped[number] = True
            self._all_mapped = bool(self._is_mapped.all())

    @cached_property
    def _mapped(self) -> "_Mapped":
        row_bytes = self.row_bytes
        # Rows are to begin at multiples of their size, whatever shard they are of. That cannot be
        # where a page has more bytes than what /features are aligned to: then at those of a part.
        cells = max(1, math.gcd(_PAGE, row_bytes) // ALIGNMENT)
        cell_bytes = row_bytes // cells
        begin, begins = 0, []
        for shard in self.shards:
            begin += _PAGE * _pages_to_skip(begin + shard.offset, cell_bytes, shard)
            begins.append(begin)
            begin += math.ceil(shard.size / _PAGE) * _PAGE
        # The range is taken first, and each file then put in its place there. Whoever holds the
        # array holds the range, and with it all that is mapped.
        private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        content = np.frombuffer(mmap.mmap(-1, begin, flags=private, prot=mmap.PROT_READ), np.uint8)
        whole = content[: len(content) // cell_bytes * cell_bytes]
        firsts = np.array(begins) + [shard.offset for shard in self.shards]
        numbers = np.arange(self.starts[-1]) - self.starts[self.shard_of]
        return _Mapped(
            cells=whole.view(self.shards[0].dtype).reshape(len(whole) // cell_bytes, -1),
            first_cell=firsts[self.shard_of] // cell_bytes + numbers * cells,
            cells_a_row=cells,
            addresses=[content.ctypes.data + begin for begin in begins],
        )


@dataclass(frozen=True)
class _Mapped:
    """A range of addresses for all shards' files, as an array of rows or of parts of them."""

    cells: NDArray[Any]
    first_cell: Places  # of each place
    cells_a_row: int
    addresses: list[int]  # of each shard's file


def _pages_to_skip(address: int, cell_bytes: int, shard: Shard) -> int:
    """Return how many pages on from an address there is a multiple of a cell's size."""
    common = math.gcd(_PAGE, cell_bytes)
    if address % common:
        raise CorruptShard(
            f"shard {shard.digest[:12]}…: its rows begin at byte {shard.offset}, expected a "
            f"multiple of {ALIGNMENT}",
            digest=shard.digest,
        )
    cells = cell_bytes // common
    return -(address // common) * pow(_PAGE // common, -1, cells) % cells


def _map_file(path: Path, shard: Shard, address: int) -> None:
    """Map a shard's file to an address, in a range that is taken already."""
    with open_regular(path) as file:
        descriptor = file.fileno()
        size = os.fstat(descriptor).st_size
        if size != shard.size:  # a mapping longer than its file ends the process
            raise CorruptShard(
                f"shard {shard.digest[:12]}…: the file has {size} bytes, {shard.size} were written",
                digest=shard.digest,
            )
        flags = mmap.MAP_SHARED | _MAP_FIXED
        if _c_mmap(address, size, mmap.PROT_READ, flags, descriptor, 0) != address:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error), str(path))
