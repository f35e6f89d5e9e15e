"""A user's table with a row a file: read as texts, and matched with the files of a folder."""

import csv
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from stores.manifest_checks import LONGEST_NAME
from stores.printable import visible
from tasks.datasets.table_rows import table_of
from tasks.errors import InputError
from tasks.execution.user_files import opened

_Check = Callable[[int, Mapping[str, str | None]], None]
_AsText = Callable[[object, int], str | None]
_ROWS_AT_ONCE = 2**16


@dataclass(frozen=True)
class PathTable:
    """The rows of a table, and which of its columns it has; `path` is the first."""

    file: str
    rows: pa.Table  # texts; null where there is no value
    columns: tuple[str, ...]


class TableMistake(ValueError):
    """A mistake in the content of a readable table."""


def read_path_table(
    path: Path,
    kind: str,
    columns: Mapping[str, str | None],
    check: _Check,
    *,
    flag: str = "",
    optional: Collection[str] = (),
    as_texts: Mapping[str, _AsText] = MappingProxyType({}),
) -> PathTable:
    """Read a table, .csv, .tsv, .jsonl or .parquet; raises InputError if it is not valid.

    `columns` are the columns by our names, with theirs, or None where they are the same; `flag`
    gives them other names. One that is named has to be there, unless it is `optional`. `check` gets
    each row, with its number and the columns that there are, and raises TableMistake. `as_texts`
    are for columns whose values become texts otherwise than by `as_text`.
    """
    with mistakes_of(path, kind), opened(path) as file:
        names, rows = table_of(path, file)
        there = _columns(names, columns, flag, optional)
        own = {name: theirs or name for name, theirs in columns.items()}
        found = rows(*own.values(), typed=[own[name] for name in as_texts])
        return _table(path, found, own, there, [as_texts.get(n, as_text) for n in own], check)


@contextmanager
def mistakes_of(path: Path, kind: str) -> Iterator[None]:
    """Turn what reading a file raises, of whatever it may hold, into an InputError of one line."""
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{path}: {kind} not found") from None
    except TableMistake as error:
        raise InputError(f"{path}: {error}") from None
    except (
        OSError,
        ValueError,
        RecursionError,
        csv.Error,
    ) as error:  # Arrow's errors are ValueErrors
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: cannot be read as a {kind}: {reason}") from None


def in_folder(table: PathTable, paths: pa.ChunkedArray, folder: Path) -> pa.Table:
    """Return the rows by the paths of listed files, relative to the folder.

    A path is relative to the folder, or else to the table; or absolute. Raises InputError for a
    path without a file, and for different rows of one file.
    """
    rows, missing = matched(table, paths, folder)
    if len(missing):
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InputError(
            f"{table.file}: {missing[0].as_py()!r}{more}: no such file in {folder}; expected paths "
            "relative to the folder or to the table; mend or remove these rows"
        )
    return rows


def matched(
    table: PathTable, paths: pa.ChunkedArray, folder: Path
) -> tuple[pa.Table, pa.ChunkedArray]:
    """Return the rows of listed files, by their paths, and the paths of which there is no file.

    Raises InputError for different rows of one file.
    """
    found = _relative(table, paths, folder)
    missing = table.rows["path"].filter(pc.is_null(found))
    names = table.rows.column_names
    rows = table.rows.set_column(0, "path", found).filter(pc.is_valid(found))
    counts = rows.group_by(names, use_threads=False).aggregate([])
    repeated = counts.group_by("path", use_threads=False).aggregate([([], "count_all")])
    several = repeated["path"].filter(pc.greater(repeated["count_all"], 1))
    if len(several):
        path = several[0].as_py()
        both = counts.filter(pc.equal(counts["path"], path)).drop_columns(["path"]).to_pylist()[:2]
        differ = next(name for name in names[1:] if both[0][name] != both[1][name])
        raise InputError(
            f"{table.file}: {path!r} has two values of {differ}, {both[0][differ]!r} and "
            f"{both[1][differ]!r}; remove one of the rows"
        )
    return counts, missing


def _relative(table: PathTable, paths: pa.ChunkedArray, folder: Path) -> pa.ChunkedArray:
    """Return each row's path relative to the folder; null where there is no such file."""
    there, given = paths.combine_chunks(), table.rows["path"]
    if pc.all(pc.is_in(given, there)).as_py():
        return given
    base, texts = Path(table.file).absolute().parent, given.to_pylist()
    tried = (
        given,
        pa.chunked_array([[os.path.normpath(path) for path in texts]], pa.string()),
        pa.chunked_array([[os.path.relpath(base / path, folder) for path in texts]], pa.string()),
    )
    none = pa.scalar(None, pa.string())
    return pc.coalesce(*(pc.if_else(pc.is_in(one, there), one, none) for one in tried))


def _columns(
    names: Sequence[str], columns: Mapping[str, str | None], flag: str, optional: Collection[str]
) -> tuple[str, ...]:
    """Return which of our columns a table has; raises TableMistake."""
    own = {name: theirs or name for name, theirs in columns.items()}
    received = f"Received: {', '.join(map(str, names))}"
    hint = f"; name it with {flag} {{}}=NAME" if flag else ""
    for name, theirs in own.items():
        if names.count(theirs) > 1:
            raise TableMistake(f"column {theirs} is repeated")
        if columns[name] and theirs not in names and name not in optional:
            raise TableMistake(f"no column {theirs!r} for {name}. {received}")
    if own["path"] not in names:
        raise TableMistake(f"no column {own['path']!r}{hint.format('path')}. {received}")
    there = tuple(name for name in own if own[name] in names)
    if len(there) == 1:
        _, *others, last = own.values()
        expected = f"expected a column {', '.join(others)} or {last} beside the path"
        raise TableMistake(f"{expected}{hint.format(list(own)[1])}. {received}")
    return there


def _table(
    path: Path,
    rows: Iterator[tuple[Any, ...]],
    own: Mapping[str, str],
    there: tuple[str, ...],
    converters: Sequence[_AsText],
    check: _Check,
) -> PathTable:
    schema = pa.schema([(name, pa.string()) for name in own])
    parts, checked = [schema.empty_table()], _checked(rows, own, there, converters, check)
    while some := list(islice(checked, _ROWS_AT_ONCE)):
        parts.append(pa.table(list(map(list, zip(*some, strict=True))), schema=schema))
    table = pa.concat_tables(parts)
    if not len(table):
        raise TableMistake("the table has no rows")
    return PathTable(str(path), table, there)


def _checked(
    rows: Iterator[tuple[Any, ...]],
    names: Iterable[str],
    there: Sequence[str],
    converters: Sequence[_AsText],
    check: _Check,
) -> Iterator[tuple[str | None, ...]]:
    """Yield rows as texts, or None; raises TableMistake."""
    places = {name: at for at, name in enumerate(names) if name in there}
    for number, row in enumerate(rows, 1):
        values = tuple(
            text(value, number) or None for text, value in zip(converters, row, strict=True)
        )
        if isinstance(row[0], str):  # a file's name may end in a space
            values = (row[0] or None, *values[1:])
        if not (path := values[0]):
            raise TableMistake(f"row {number} has no path")
        if "\0" in path or "\n" in path:
            raise TableMistake(f"row {number}: {path!r} is not the path of a file")
        check(number, {name: values[at] for name, at in places.items()})
        yield values


def as_text(value: object, number: int) -> str | None:
    """Return a value of a row as text without spaces around it; raises TableMistake."""
    if value is None or isinstance(value, str):
        text = value.strip() if value else None
        if text and len(text.encode(errors="surrogatepass")) > LONGEST_NAME:
            raise TableMistake(
                f"row {number}: a text of {len(text):,} characters, {visible(text[:20])!r}…, "
                f"expected at most {LONGEST_NAME:,} bytes"
            )
        return text
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):  # as labels and groups often are
        return str(value)
    raise TableMistake(f"row {number}: expected a text or a whole number. Received: {value!r}")
