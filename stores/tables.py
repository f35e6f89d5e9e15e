"""Parquet files that carry their kind, their format version and a digest of their own bytes.

The digest stands in the footer's key-value metadata and is computed over the whole file with the
digest's own 32 digits as zeros. It is checked before Parquet's reader sees a byte, so a damaged
file is an error of ours and never a crash of a parser.
"""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from stores.errors import CorruptStore, NewerFormat
from stores.safe_files import read_bytes

_MARK = b"gargalo-xxh3-128:"
_DIGITS = 32
_BLANK = b"0" * _DIGITS


def table_bytes(
    table: pa.Table, *, kind: str, version: int, metadata: dict[str, Any] | None = None
) -> bytes:
    """Return a table as the bytes of a stamped Parquet file; `metadata` is kept as JSON."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema, store_schema=False) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(
            {
                "gargalo.kind": kind,
                "gargalo.version": str(version),
                "gargalo.metadata": json.dumps(metadata or {}, sort_keys=True),
                "gargalo.digest": (_MARK + _BLANK).decode(),
            }
        )
    content = sink.getvalue().to_pybytes()
    return _with_digest(content, xxhash.xxh3_128_hexdigest(content).encode())


def read_table(path: Path, *, kind: str, version: int) -> tuple[pa.Table, dict[str, Any]]:
    """Return a stamped Parquet file's table and metadata.

    Raises FileNotFoundError, CorruptStore (the bytes are not those that were written) or
    NewerFormat (its version is above `version`).
    """
    content = read_bytes(path)
    place = content.rfind(_MARK) + len(_MARK)
    digest = content[place : place + _DIGITS]
    actual = xxhash.xxh3_128_hexdigest(_with_digest(content, _BLANK)).encode()
    if place < len(_MARK) or digest != actual:
        raise CorruptStore(
            f"{path}: the file is damaged: digest {actual.decode()}, stored "
            f"{digest.decode(errors='replace')}"
        )
    with pq.ParquetFile(pa.BufferReader(content)) as file:
        table, stamps = file.read(use_threads=False), file.metadata.metadata
    if stamps[b"gargalo.kind"].decode() != kind:
        raise CorruptStore(f"{path}: expected a {kind}, found a {stamps[b'gargalo.kind'].decode()}")
    found = int(stamps[b"gargalo.version"])
    if found > version:
        raise NewerFormat(
            f"{path}: {kind} of format version {found}, this software knows up to {version}; "
            "update gargalo to read it"
        )
    return table, json.loads(stamps[b"gargalo.metadata"])


def _with_digest(content: bytes, digest: bytes) -> bytes:
    place = content.rfind(_MARK) + len(_MARK)
    return content[:place] + digest + content[place + _DIGITS :]
