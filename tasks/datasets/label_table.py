"""Tables of labels: the label, split and group of each image, by its path."""

import csv
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from stores.manifest import SPLITS, Manifest
from tasks.datasets.folder_layout import TABLE
from tasks.datasets.table_rows import Rows, table_of
from tasks.errors import InputError
from tasks.execution.user_files import opened

COLUMNS = pa.schema([(name, pa.string()) for name in ("path", "label", "split", "group")])
_ROWS_AT_ONCE = 2**16


@dataclass(frozen=True)
class LabelRule:
    """Where labels and groups come from; by default labels are the names of the class folders.

    `columns` are the names that the file's columns have, by ours: path, label, split, group.
    """

    file: Path | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    group_pattern: str | None = None  # on the path; "none": no groups any more
    needed: bool = True  # if not, a flat folder is a data set without labels


BY_FOLDERS = LabelRule()


@dataclass(frozen=True)
class LabelTable:
    """The rows of a table of labels, and which columns it has."""

    file: str
    rows: pa.Table  # of COLUMNS; null where there is no value
    columns: tuple[str, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, sorted."""
        return tuple(sorted(self.rows["label"].drop_null().unique().to_pylist()))


def read_label_table(rule: LabelRule) -> LabelTable | None:
    """Read a table of labels, .csv, .tsv, .jsonl or .parquet; None if the rule has none.

    Raises InputError if it is not valid. Paths are as the file has them.
    """
    if (path := rule.file) is None:
        return None
    try:
        with opened(path) as file:
            names, rows = table_of(path, file)
            return _table(path, names, rows, rule.columns)
    except FileNotFoundError:
        raise InputError(f"{path}: table of labels not found") from None
    except _Mistake as error:
        raise InputError(f"{path}: {error}") from None
    except (OSError, ValueError, csv.Error) as error:  # Arrow's errors are ValueErrors
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: cannot be read as a table of labels: {reason}") from None


def kept_table(manifest: Manifest) -> LabelTable:
    """Return the labels of a data set that was ingested with a table before."""
    rows = manifest.rows.filter(pc.not_equal(manifest.rows["status"], "absent"))
    rows = rows.filter(pc.is_valid(rows["label"])).select(COLUMNS.names)
    empty = pa.nulls(len(rows), pa.string())
    return LabelTable("", rows.set_column(2, "split", empty), ("path", "label", "group"))


def labels_csv(manifest: Manifest) -> bytes:
    """Return labels and groups as a table; empty where class folders and a pattern give them."""
    rows = manifest.of_status("accepted")
    grouped = rows["group"].null_count < len(rows) and not manifest.group_pattern
    if manifest.layout != TABLE and not grouped:
        return b""
    sink = io.StringIO()
    table = csv.writer(sink, lineterminator="\n")
    names = ["path", "label", "group"] if grouped else ["path", "label"]
    table.writerow(names)
    for batch in rows.select(names).to_batches(_ROWS_AT_ONCE):
        table.writerows(zip(*(column.to_pylist() for column in batch), strict=True))
    return sink.getvalue().encode()


def in_folder(table: LabelTable, paths: pa.ChunkedArray, folder: Path) -> pa.Table:
    """Return the rows by the paths of listed files, relative to the folder.

    A path is relative to the folder, or else to the table; or absolute. Raises InputError for a
    path without a file, and for different rows of one file.
    """
    found = _relative(table, paths, folder)
    missing = table.rows["path"].filter(pc.is_null(found))
    if len(missing):
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InputError(
            f"{table.file}: {missing[0].as_py()!r}{more}: no such file in {folder}; expected paths "
            "relative to the folder or to the table; mend or remove these rows"
        )
    rows = table.rows.set_column(0, "path", found)
    counts = rows.group_by(COLUMNS.names, use_threads=False).aggregate([])
    repeated = counts.group_by("path", use_threads=False).aggregate([([], "count_all")])
    several = repeated["path"].filter(pc.greater(repeated["count_all"], 1))
    if len(several):
        path = several[0].as_py()
        both = counts.filter(pc.equal(counts["path"], path)).drop_columns(["path"]).to_pylist()[:2]
        differ = next(name for name in COLUMNS.names[1:] if both[0][name] != both[1][name])
        raise InputError(
            f"{table.file}: {path!r} has two values of {differ}, {both[0][differ]!r} and "
            f"{both[1][differ]!r}; remove one of the rows"
        )
    return counts


def _relative(table: LabelTable, paths: pa.ChunkedArray, folder: Path) -> pa.ChunkedArray:
    """Return each row's path relative to the folder; null where there is no such file."""
    there, given = paths.combine_chunks(), table.rows["path"]
    found = pc.is_in(given, there)
    if pc.all(found).as_py():
        return given
    base, relative = Path(table.file).absolute().parent, list[str | None]()
    for path, known in zip(given.to_pylist(), found.to_pylist(), strict=True):
        tried = (os.path.normpath(path), os.path.relpath(base / path, folder))
        relative.append(path if known else _first_of(tried, there))
    return pa.chunked_array([pa.array(relative, pa.string())])


def _first_of(tried: Sequence[str], there: pa.Array) -> str | None:
    known = pc.is_in(pa.array(tried, pa.string()), there).to_pylist()
    return next((path for path, some in zip(tried, known, strict=True) if some), None)


class _Mistake(ValueError):
    """A mistake in the content of a readable table."""


def _table(path: Path, names: Sequence[str], rows: Rows, columns: Mapping[str, str]) -> LabelTable:
    own = {name: columns.get(name, name) for name in COLUMNS.names}
    received = ", ".join(map(str, names))
    for name, theirs in own.items():
        if names.count(theirs) > 1:
            raise _Mistake(f"column {theirs} is repeated")
        if name in columns and theirs not in names:
            raise _Mistake(f"no column {theirs!r} for {name}. Received: {received}")
    if own["path"] not in names:
        raise _Mistake(
            f"no column {own['path']!r}; name it with --column path=NAME. Received: {received}"
        )
    there = tuple(name for name in COLUMNS.names if own[name] in names)
    if len(there) == 1:
        raise _Mistake(
            "expected a column label, split or group beside the path; name it with --column "
            f"label=NAME. Received: {received}"
        )
    parts, checked = [COLUMNS.empty_table()], _checked(rows(*own.values()), there)
    while some := list(islice(checked, _ROWS_AT_ONCE)):
        parts.append(pa.table(list(map(list, zip(*some, strict=True))), schema=COLUMNS))
    table = pa.concat_tables(parts)
    if not len(table):
        raise _Mistake("the table has no rows")
    return LabelTable(str(path), table, there)


def _checked(rows: Iterator[tuple[Any, ...]], there: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Yield path, label, split and group as texts, or None; raises _Mistake."""
    for number, row in enumerate(rows, 1):
        path, label, split, group = (_text(value, number) for value in row)
        if not path:
            raise _Mistake(f"row {number} has no path")
        if "\0" in path or "\n" in path:
            raise _Mistake(f"row {number}: {path!r} is not the path of a file")
        if "label" in there and not label:
            raise _Mistake(f"row {number}: {path!r} has no label; fill it in, or remove the row")
        if split and split not in SPLITS:
            raise _Mistake(
                f"row {number}: the split of {path!r} must be one of {', '.join(SPLITS)}. "
                f"Received: {split!r}"
            )
        yield path, label or None, split or None, group or None


def _text(value: object, number: int) -> str | None:
    if value is None or isinstance(value, str):
        return value.strip() if value else None
    if isinstance(value, int):  # as labels and groups often are
        return str(value)
    raise _Mistake(f"row {number}: expected a text or a whole number. Received: {value!r}")
