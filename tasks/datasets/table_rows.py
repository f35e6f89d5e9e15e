"""Rows of a user's table: .csv, .tsv, .jsonl or .parquet, in small batches, memory bounded.

A small file can unpack to many rows, and a sparse file can be one line of gigabytes.
"""

import csv
import io
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from io import BufferedReader
from itertools import chain
from pathlib import Path
from typing import Any

from stores.storage.json_files import parsed
from tasks.execution.user_files import size_of

# A function from names of columns to their values, row by row; None for a missing value. Those of
# Parquet are strings and whole numbers; of the columns that are `typed`, also floats and lists.
Rows = Callable[..., Iterator[tuple[Any, ...]]]

ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet")

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
    if (ending := path.suffix.lower()) not in ENDINGS:
        raise ValueError(f"expected a file name that ends in {', '.join(ENDINGS)}")
    if (size := size_of(file)) > _MOST_BYTES:
        raise ValueError(f"a file of {size:,} bytes, expected at most {_MOST_BYTES:,}")
    if ending == ".parquet":
        return parquet_rows(file)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    return _of_json_lines(text) if ending == ".jsonl" else _of_csv(text, ending)


def _of_csv(text: io.TextIOWrapper, ending: str) -> tuple[Sequence[str], Rows]:
    lines = _lines(text)
    first = next(lines, "")
    delimiter = "\t" if ending == ".tsv" else ";" if ";" in first and "," not in first else ","
    filled = _filled(csv.reader(chain([first], lines), delimiter=delimiter))
    names = next(filled, [])

    def rows(*wanted: str, typed: Collection[str] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ARG001
        places = [names.index(name) if name in names else len(names) for name in wanted]
        for row in filled:
            yield tuple(row[at] if at < len(row) else None for at in places)

    return names, rows


def _of_json_lines(text: io.TextIOWrapper) -> tuple[Sequence[str], Rows]:
    """Return the names in the first object; in the others a value may be missing."""
    lines = (line for line in _lines(text) if line.strip())
    first = _object(next(lines, "{}"))

    def rows(*wanted: str, typed: Collection[str] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ARG001
        for found in chain([first], map(_object, lines)):
            yield tuple(map(found.get, wanted))

    return list(first), rows


def _object(line: str) -> dict[str, Any]:
    found = parsed(line)
    if not isinstance(found, dict):
        raise ValueError(f"expected an object in each line. Received: {line[:60]!r}")  # noqa: TRY004
    return found


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


def largest_unpacked(size: int) -> int:
    """Return how many bytes a packed file of some size may become."""
    return _MOST_RATIO * size + _SPARE_BYTES


def parquet_footer(file: BufferedReader) -> Any:  # noqa: ANN401  Arrow's FileMetaData
    """Return what a Parquet file says of itself; raises ValueError where it is absurd."""
    import pyarrow.parquet as pq

    about, size = pq.read_metadata(file), size_of(file)
    if about.num_rows > _ROWS_A_BYTE * size + _SPARE_ROWS:
        raise ValueError(f"a file of {size:,} bytes cannot have {about.num_rows:,} rows")
    unpacked = sum(about.row_group(n).total_byte_size for n in range(about.num_row_groups))
    if unpacked > largest_unpacked(size):
        raise ValueError(f"a file of {size:,} bytes that unpacks to {unpacked:,} bytes")
    return about


def parquet_rows(file: BufferedReader) -> tuple[Sequence[str], Rows]:
    """Return the names of a Parquet file's columns, and a function that reads its rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    about = parquet_footer(file)
    groups = [about.row_group(n) for n in range(about.num_row_groups)]
    schema = about.schema.to_arrow_schema()
    names = schema.names

    def rows(*wanted: str, typed: Collection[str] = ()) -> Iterator[tuple[Any, ...]]:
        there = [name for name in dict.fromkeys(wanted) if name in names]
        nested = [name for name in there if pa.types.is_nested(schema.field(name).type)]
        for name in nested:
            if not (_is_list(kind := schema.field(name).type) and name in typed):
                raise ValueError(f"expected columns of strings, found {kind}")
        # Read as dictionaries, so that repeated values take memory once. Arrow does not support
        # this for delta encodings and lists, whose values are therefore read in smaller batches.
        parts = [g.column(n) for g in groups for n in range(g.num_columns)]
        parts = [part for part in parts if part.path_in_schema.split(".")[0] in there]
        delta = bool(nested) or any("DELTA" in str(part.encodings) for part in parts)
        longest = max((part.total_uncompressed_size for part in parts), default=0)
        most = _BYTES_AT_ONCE // max(1, longest) if delta else _ROWS_AT_ONCE
        count = max(16, min(_ROWS_AT_ONCE, most))
        texts = [name for name in there if _is_text(schema.field(name).type)]
        with pq.ParquetFile(file, read_dictionary=[] if delta else texts) as table:
            for batch in table.iter_batches(count, columns=there, use_threads=False):
                columns = {n: _values(batch.column(n), typed=n in typed) for n in there}
                none = [None] * len(batch)
                yield from zip(*(columns.get(name, none) for name in wanted), strict=True)

    return names, rows


def _values(column: Any, *, typed: bool) -> list[Any]:  # noqa: ANN401  an array of Arrow's
    """Return the strings of a column; raises ValueError for another type."""
    import pyarrow as pa
    import pyarrow.compute as pc

    is_dictionary = pa.types.is_dictionary(column.type)
    texts = column.dictionary if is_dictionary else column
    if pa.types.is_null(texts.type):
        return [None] * len(column)
    is_time = pa.types.is_temporal(texts.type) and not pa.types.is_duration(texts.type)
    if is_time or pa.types.is_boolean(texts.type):
        return list(texts.cast(pa.string()).to_pylist())
    if pa.types.is_integer(texts.type) or (typed and _is_typed(texts.type)):
        return list(texts.to_pylist())
    if not _is_text(texts.type):
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


def _is_typed(kind: Any) -> bool:  # noqa: ANN401  a type of Arrow's
    import pyarrow as pa

    return bool(pa.types.is_floating(kind) or pa.types.is_decimal(kind)) or _is_list(kind)


def _is_list(kind: Any) -> bool:  # noqa: ANN401  a type of Arrow's
    """Return whether values are lists of strings or of whole numbers."""
    import pyarrow as pa

    one = kind.value_type if pa.types.is_list(kind) or pa.types.is_large_list(kind) else None
    return one is not None and (_is_text(one) or bool(pa.types.is_integer(one)))


def _is_text(kind: Any) -> bool:  # noqa: ANN401  a type of Arrow's
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
