"""Columns of few values, as a status: rows in succession with the same one share its memory."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

_ROWS_AT_ONCE = 2**16


class RepeatedValues:
    """Arrays of one value, each of which is made once."""

    def __init__(self) -> None:
        self._made: dict[tuple[pa.Scalar, int], pa.Array] = {}

    def of(self, values: pa.Array) -> pa.Array | None:
        """Return the same values, from a dictionary too, if they are all one; else None."""
        is_dictionary = pa.types.is_dictionary(values.type)
        if not len(values) or pa.types.is_nested(values.type):
            return None
        if values.null_count == len(values):
            kind = values.type.value_type if is_dictionary else values.type
            return self._array(pa.scalar(None, kind), len(values))
        if values.null_count:
            return None
        if is_dictionary:
            only = values.dictionary[0] if len(values.dictionary) == 1 else None
        else:
            only = values[0] if pc.all(pc.equal(values, values[0])).as_py() else None
        return None if only is None else self._array(only, len(values))

    def shared(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        """Return a column whose parts that have one value share its memory."""
        parts = [(self.of(part), part) for part in column.chunks]
        return pa.chunked_array([b if a is None else a for a, b in parts], column.type)

    def _array(self, value: pa.Scalar, count: int) -> pa.Array:
        if (value, count) not in self._made:
            self._made[value, count] = pa.repeat(value, count)
        return self._made[value, count]


def nulls(count: int, kind: pa.DataType) -> pa.ChunkedArray:
    """Return a column of nulls, which take the memory of a part of them."""
    part = pa.nulls(min(count, _ROWS_AT_ONCE), kind)
    starts = range(0, count, _ROWS_AT_ONCE)
    return pa.chunked_array([part.slice(0, count - start) for start in starts], kind)


def slices(*tables: pa.Table) -> Iterator[tuple[pa.Table, ...]]:
    """Yield some rows at a time of tables of the same length: what is made of them stays small."""
    for start in range(0, len(tables[0]), _ROWS_AT_ONCE):
        yield tuple(table.slice(start, _ROWS_AT_ONCE) for table in tables)
