"""Parquet files that carry their kind, their format version and a digest of their own bytes.

The digest stands in the footer's key-value metadata and is computed over the whole file with the
digest's own 32 digits as zeros. It is checked before Parquet's reader sees a byte, so a damaged
file is an error of ours and never a crash of a parser.
"""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from stores.errors import CorruptStore, newer_format
from stores.storage.arrow_memory import use_small_pages
from stores.storage.json_files import ABSURD, parsed
from stores.storage.safe_files import read_bytes
from stores.storage.table_bounds import most_of, read_within_bounds

use_small_pages()

_MARK = b"gargalo-xxh3-128:"
_DIGITS = 32
_BLANK = b"0" * _DIGITS
# Texts are read as dictionaries (see table_bounds): in groups of so many rows these fit into a
# processor's cache, and distinct ones are read at six times the speed of larger groups.
_ROWS_IN_A_GROUP = 2**16
_DICTIONARY_BYTES = 2**24


def table_bytes(
    table: pa.Table, *, kind: str, version: int, metadata: dict[str, Any] | None = None
) -> bytes:
    """Return a table as the bytes of a stamped Parquet file; `metadata` is kept as JSON."""
    about = {
        "gargalo.kind": kind,
        "gargalo.version": str(version),
        "gargalo.metadata": json.dumps(metadata or {}, sort_keys=True),
        "gargalo.digest": (_MARK + _BLANK).decode(),
    }
    sink = _written(table, about, compression="snappy")
    if table.nbytes > most_of(len(sink.getbuffer())):  # it would be refused by `read_table`
        sink = _written(table, about, compression="none")
    content = sink.getvalue()
    place = content.rfind(_MARK) + len(_MARK)
    digest = _digest(content, place)
    del content
    sink.getbuffer()[place : place + _DIGITS] = digest
    return sink.getvalue()


def _written(table: pa.Table, about: dict[str, str], *, compression: str) -> io.BytesIO:
    sink = io.BytesIO()  # of which `getvalue` is no copy
    with pq.ParquetWriter(
        sink,
        table.schema,
        use_dictionary=_with_dictionaries(table),
        compression=compression,
        store_schema=False,
        dictionary_pagesize_limit=_DICTIONARY_BYTES,
    ) as writer:
        writer.write_table(table, _ROWS_IN_A_GROUP)
        writer.add_key_value_metadata(about)
    return sink


def read_table(
    path: Path,
    *,
    kind: str,
    version: int,
    sha256: str = "",
    columns: list[str] | None = None,
    in_a_list: int = 2**16,
) -> tuple[pa.Table, dict[str, Any]]:
    """Return a stamped Parquet file's table, or some of its columns, and its metadata.

    `sha256` is that of the file's bytes, where a record names it; `in_a_list` is how many values a
    row may have in a column of lists. Raises FileNotFoundError, CorruptStore (the bytes are not
    those that were written, not what the record names, or more than such a file holds) or
    NewerFormat (its version is above `version`).
    """
    content = read_bytes(path)
    place = content.rfind(_MARK) + len(_MARK)
    digest = content[place : place + _DIGITS]
    actual = _digest(content, place)
    if place < len(_MARK) or digest != actual:
        raise CorruptStore(
            f"{path}: the file is damaged: digest {actual.decode()}, stored "
            f"{digest.decode(errors='replace')}"
        )
    found_sha256 = hashlib.sha256(content).hexdigest() if sha256 else ""
    if found_sha256 != sha256:
        raise CorruptStore(
            f"{path}: the file is another than the record names: SHA-256 {found_sha256}, "
            f"recorded {sha256}"
        )
    try:
        footer = pq.read_metadata(pa.BufferReader(content))
        stamps = _stamps(footer)
        found_kind, found = stamps["kind"], int(stamps["version"])
        if found_kind == kind and found <= version:
            table = read_within_bounds(content, footer, columns=columns, in_a_list=in_a_list)
            return table, _json_object(stamps["metadata"])
    except (pa.ArrowException, OSError, MemoryError, *ABSURD) as error:
        reason = " ".join(str(error).split())[:200]
        raise CorruptStore(
            f"{path}: not a {kind}, though its digest is right: {type(error).__name__}: {reason}"
        ) from error
    if found_kind != kind:
        raise CorruptStore(f"{path}: expected a {kind}, found a {found_kind}")
    raise newer_format(f"{path}: {kind}", found, version)


def _with_dictionaries(table: pa.Table) -> list[str] | bool:
    """Return the columns that have a dictionary, or whether all have one.

    Keys differ from row to row: without one they are read in half the time.
    """
    if any(pa.types.is_nested(field.type) for field in table.schema):
        return True
    return [f.name for f in table.schema if not pa.types.is_fixed_size_binary(f.type)]


def _stamps(metadata: pq.FileMetaData) -> dict[str, str]:
    """Return our entries of a Parquet file's footer by their short names."""
    return {
        name.decode().removeprefix("gargalo."): value.decode()
        for name, value in metadata.metadata.items()
        if name.startswith(b"gargalo.")
    }


def _json_object(text: str) -> dict[str, Any]:
    found = parsed(text)
    if not isinstance(found, dict):
        raise TypeError(f"metadata: expected an object, found {text[:80]!r}")
    return found


def _digest(content: bytes, place: int) -> bytes:
    """Return the digest of a file whose own digest stands at a place; the file is not copied."""
    found, view = xxhash.xxh3_128(), memoryview(content)
    for part in (view[:place], _BLANK, view[place + _DIGITS :]):
        found.update(part)
    return found.hexdigest().encode()
