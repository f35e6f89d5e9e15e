"""Index fragments: what must be known of a shard to map it, kept beside it as a table."""

from math import prod
from pathlib import Path
from typing import Any

import pyarrow as pa

from stores.errors import CorruptStore
from stores.features.recipe import Recipe
from stores.features.shard import Shard
from stores.features.shard_structure import ALIGNMENT, checked_producer, little_endian
from stores.keys import KEY_BYTES, as_arrow, from_arrow
from stores.storage.json_files import ABSURD
from stores.storage.stamped_parquet import read_table, table_bytes

FRAGMENT_VERSION = 2
_KIND = "index fragment"
_SCHEMA = pa.schema(
    [("key", pa.binary(KEY_BYTES)), ("view", pa.uint16()), ("row_checksum", pa.uint64())]
)


def fragment_bytes(shard: Shard, recipe: Recipe) -> bytes:
    """Return the file of a shard's index fragment."""
    columns = [
        as_arrow(shard.keys),
        pa.array(shard.views, pa.uint16()),
        pa.array(shard.checksums, pa.uint64()),
    ]
    names = ("digest", "size", "offset", "dtype", "shape", "checksum", "producer")
    metadata = {name: getattr(shard, name) for name in names} | {"recipe": recipe.fingerprint}
    table = pa.table(columns, schema=_SCHEMA)
    return table_bytes(table, kind=_KIND, version=FRAGMENT_VERSION, metadata=metadata)


def read_fragment(path: Path, digest: str, recipe: Recipe) -> Shard:
    """Return what a fragment has of a shard; raises FileNotFoundError where it is of format 1.

    Raises CorruptStore where it is damaged, of another shard, or has what no shard is like.
    """
    table, about = read_table(path, kind=_KIND, version=FRAGMENT_VERSION)
    if "checksum" not in about:
        raise FileNotFoundError(path)  # of format 1: as good as none, the shard gives another
    if (about.get("digest"), about.get("recipe")) != (digest, recipe.fingerprint):
        raise CorruptStore(f"{path}: the fragment belongs to another shard")
    try:
        return _shard(digest, table, about, recipe)
    except ABSURD as error:
        raise CorruptStore(f"{path}: the fragment is damaged: {error}") from error


def _shard(digest: str, table: pa.Table, about: dict[str, Any], recipe: Recipe) -> Shard:
    types = [(field.name, field.type) for field in table.schema]
    if types != [(field.name, field.type) for field in _SCHEMA]:
        raise ValueError(f"columns {table.column_names}")
    if not table.num_rows or any(column.null_count for column in table.columns):
        raise ValueError("no rows, or rows with empty cells")
    size, offset = _number(about, "size"), _number(about, "offset")
    shape = tuple(_number({"shape": side}, "shape") for side in about["shape"])
    dtype = little_endian(recipe.dtype)
    end = offset + table.num_rows * dtype.itemsize * prod(shape)
    if about["dtype"] != dtype.str or not prod(shape) or offset % ALIGNMENT or end > size:
        raise ValueError(f"{table.num_rows} rows of {about['dtype']} {shape} at byte {offset}")
    return Shard(
        digest=digest,
        size=size,
        offset=offset,
        dtype=dtype.str,
        shape=shape,
        checksum=_number(about, "checksum"),
        producer=checked_producer(about["producer"]),
        keys=from_arrow(table["key"]),
        views=table["view"].to_numpy(),
        checksums=table["row_checksum"].to_numpy(),
    )


def _number(about: dict[str, Any], name: str) -> int:
    value = about[name]
    if type(value) is not int or not 0 <= value < 2**64:
        raise ValueError(f"{name} {value!r}")
    return value
