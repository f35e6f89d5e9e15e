"""Tables as files for other programs: CSV, Parquet, JSON or JSON lines."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from stores.errors import StoreFull
from stores.printable import cell
from stores.storage.publish import publish_file
from tasks.errors import InputError
from tasks.execution.output_paths import check_output

ENDINGS = (".csv", ".parquet", ".json", ".jsonl")


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table in the format of the file's extension, atomically.

    Raises InputError for another extension, or if the file cannot be written; StoreFull.
    """
    check_output(path, endings=ENDINGS)
    sink = pa.BufferOutputStream()
    if path.suffix == ".csv":
        pa.csv.write_csv(_in_cells(table), sink)
    elif path.suffix == ".parquet":
        pq.write_table(table, sink)
    elif path.suffix == ".json":
        sink.write(json.dumps(table.to_pylist(), indent=2, ensure_ascii=False).encode())
    else:
        for row in table.to_pylist():
            sink.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
    write_bytes(sink.getvalue().to_pybytes(), path)


def _in_cells(table: pa.Table) -> pa.Table:
    """Return a table with names and strings that spreadsheets do not read as formulas.

    A list, as of classes, is written as JSON: whatever is in the names, they stay apart.
    """
    columns = [_cells(column) for column in table.columns]
    return pa.table(columns, names=[cell(name) for name in table.column_names])


def _cells(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_list(column.type):
        texts = [
            None if x is None else json.dumps(x, ensure_ascii=False) for x in column.to_pylist()
        ]
    elif pa.types.is_string(column.type):
        texts = column.to_pylist()
    else:
        return column
    return pa.chunked_array([[text if text is None else cell(text) for text in texts]], pa.string())


def write_bytes(content: bytes, path: Path) -> None:
    """Write a file atomically; raises InputError if it cannot be written, StoreFull."""
    try:
        publish_file(content, path, tmp=path.parent)
    except StoreFull:
        raise
    except OSError as error:
        reason = error.strerror or "no permission"
        raise InputError(f"{path}: cannot be written: {reason}; give another path") from None
