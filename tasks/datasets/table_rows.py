"""Rows of a user's table, .csv or .parquet, read in small batches with limits on memory.

A small file can unpack to many rows, and a sparse file can be one line of gigabytes.
"""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import Any

from tasks.execution.user_files import size_of

# A function from two column names to their values, row by row; None for a missing value.
Rows = Callable[[str, str], Iterator[tuple[Any, Any]]]

_MOST_BYTES = 2**32  # ten million rows of 400 bytes
_LONGEST_LINE = 2**20
_MOST_BLANK = 1000  # lines
_ROWS_AT_ONCE = 2**16
_LONGEST_VALUE = 2**16
# Names differ, so that each takes some space in the file: at least half a byte.
_ROWS_A_BYTE, _SPARE_ROWS = 2, 2**20
_BYTES_AT_ONCE = 2**27
_MOST_RATIO, _SPARE_BYTES = 40, 2**26


def table_of(path: Path, file: BufferedReader) -> tuple[Sequence[str], Rows]:
    """Return the names of a table's columns, and a function that reads its rows.

    Raises csv.Error, or ValueError, which includes Arrow's errors.
    """
    if path.suffix.lower() not in {".csv", ".parquet"}:
        raise ValueError("expected a file name that ends in .csv or .parquet")
    if (size := size_of(file)) > _MOST_BYTES:
        raise ValueError(f"a file of {size:,} bytes, expected at most {_MOST_BYTES:,}")
    return _of_csv(file) if path.suffix.lower() == ".csv" else _of_parquet(file, size)


def _of_csv(file: BufferedReader) -> tuple[Sequence[str], Rows]:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    lines = _filled(csv.reader(_lines(text)))
    names = next(lines, [])

    def rows(first: str, second: str) -> Iterator[tuple[Any, Any]]:
        places = [names.index(name) if name in names else len(names) for name in (first, second)]
        for row in lines:
            one, other = (row[at] if at < len(row) else None for at in places)
            yield one, other

    return names, rows


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    for number, line in enumerate(iter(partial(text.readline, _LONGEST_LINE), ""), 1):
        if len(line) == _LONGEST_LINE:
            raise ValueError(f"line {number} has more than {_LONGEST_LINE:,} characters")
        yield line


def _filled(lines: Iterator[list[str]]) -> Iterator[list[str]]:
    """Yield the lines that are not blank."""
    blank = 0
    for line in lines:
        if line:
            yield line
        elif (blank := blank + 1) > _MOST_BLANK:
            raise ValueError(f"more than {_MOST_BLANK:,} blank lines")


def _of_parquet(file: BufferedReader, size: int) -> tuple[Sequence[str], Rows]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    about = pq.read_metadata(file)
    if about.num_rows > _ROWS_A_BYTE * size + _SPARE_ROWS:
        raise ValueError(f"a file of {size:,} bytes cannot have {about.num_rows:,} rows")
    groups = [about.row_group(n) for n in range(about.num_row_groups)]
    unpacked = sum(group.total_byte_size for group in groups)
    if unpacked > _MOST_RATIO * size + _SPARE_BYTES:
        raise ValueError(f"a file of {size:,} bytes that unpacks to {unpacked:,} bytes")
    schema = about.schema.to_arrow_schema()
    names = schema.names

    def rows(first: str, second: str) -> Iterator[tuple[Any, Any]]:
        there = [name for name in (first, second) if name in names]
        if nested := [name for name in there if pa.types.is_nested(schema.field(name).type)]:
            raise ValueError(f"expected columns of strings, found {schema.field(nested[0]).type}")
        # Read as dictionaries, so that repeated values take memory once. Arrow does not support
        # this for delta encodings, whose values are therefore read in smaller batches.
        parts = [g.column(n) for g in groups for n in range(g.num_columns)]
        parts = [part for part in parts if part.path_in_schema in there]
        delta = any("DELTA" in str(part.encodings) for part in parts)
        longest = max((part.total_uncompressed_size for part in parts), default=0)
        most = _BYTES_AT_ONCE // max(1, longest) if delta else _ROWS_AT_ONCE
        count = max(16, min(_ROWS_AT_ONCE, most))
        with pq.ParquetFile(file, read_dictionary=[] if delta else there) as table:
            for batch in table.iter_batches(count, columns=there, use_threads=False):
                columns = {name: _values(batch.column(name)) for name in there}
                none = [None] * len(batch)
                yield from zip(*(columns.get(name, none) for name in (first, second)), strict=True)

    return names, rows


def _values(column: Any) -> list[Any]:  # noqa: ANN401  an array of Arrow's
    """Return the strings of a column; raises ValueError for another type."""
    import pyarrow as pa
    import pyarrow.compute as pc

    is_dictionary = pa.types.is_dictionary(column.type)
    texts = column.dictionary if is_dictionary else column
    if pa.types.is_null(texts.type):
        return [None] * len(column)
    if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
        raise ValueError(f"expected columns of strings, found {texts.type}")
    longest = pc.max(pc.binary_length(texts)).as_py() or 0
    if longest > _LONGEST_VALUE:
        raise ValueError(f"strings of more than {_LONGEST_VALUE:,} bytes")
    if not is_dictionary:
        return list(texts.to_pylist())
    if longest * len(column) <= _BYTES_AT_ONCE:
        return list(column.dictionary_decode().to_pylist())
    values = texts.to_pylist()
    return [None if place is None else values[place] for place in column.indices.to_pylist()]
