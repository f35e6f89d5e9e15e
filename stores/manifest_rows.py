"""The rows of a manifest: their columns, and how rows are chosen and changed."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stores.keys import from_arrow, is_first
from stores.storage.repeated_values import nulls

SCHEMA = pa.schema(
    [
        ("path", pa.string()),  # below the data set's folder
        ("key", pa.binary(32)),  # null where the file could not be read
        ("label", pa.string()),  # the class's name
        ("split", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),  # why it is rejected or ignored; or a remark on an accepted image
        ("size", pa.int64()),  # this and the next three: how the file looked on disk
        ("mtime_ns", pa.int64()),
        ("ctime_ns", pa.int64()),
        ("inode", pa.uint64()),
        ("group", pa.string()),  # images of one group are never in two splits; null: none
        # The label before a correction; null: none. The same as the label: excluded by one.
        ("given_label", pa.string()),
        ("time", pa.int64()),  # a number, or microseconds since 1970; null: not known
        # Only where near-duplicates are kept together: the group, and the split, before they were.
        ("given_group", pa.string()),
        ("given_split", pa.string()),
        ("near_group", pa.string()),  # of its near-duplicates; empty: none; null: not searched yet
        ("open_split", pa.bool_()),  # the split awaits that search: nothing has learned from it
    ]
)
# An unchanged stamp means unchanged bytes.
STAMP = ("size", "mtime_ns", "ctime_ns", "inode")


def first_of_each(rows: pa.Table) -> pa.Table:
    """Return the first row of each distinct key; no key may be null."""
    first = is_first(from_arrow(rows["key"]))
    return rows if first.all() else rows.filter(pa.array(first))


def with_columns(rows: pa.Table) -> pa.Table:
    """Return rows with all columns, in order; those that an earlier version had not are null."""
    missing = [field for field in SCHEMA if field.name not in rows.schema.names]
    for field in missing:
        rows = rows.append_column(field, nulls(len(rows), field.type))
    return rows.select(SCHEMA.names).cast(SCHEMA)


def group_numbers(rows: pa.Table) -> NDArray[np.int64]:
    """Return a number for the group of each row; a row without a group is one of its own."""
    groups = rows["group"].combine_chunks().dictionary_encode()
    numbers = groups.indices.fill_null(-1).to_numpy().astype(np.int64)
    alone = np.flatnonzero(numbers < 0)
    numbers[alone] = len(groups.dictionary) + np.arange(len(alone))
    return np.asarray(numbers)


def places_of(wanted: pa.ChunkedArray, among: pa.ChunkedArray) -> pa.Array:
    """Return the place of each wanted value among others, or null; at once where both are alike."""
    if not wanted.null_count and wanted.equals(among):
        return pa.array(np.arange(len(wanted)))
    return pc.index_in(wanted, among.combine_chunks(), skip_nulls=True).combine_chunks()


def filtered(rows: pa.Table, chosen: pa.ChunkedArray) -> pa.Table:
    """Return the chosen rows; all of them without a copy."""
    return rows if pc.all(chosen).as_py() else rows.filter(chosen)


def only_where(chosen: pa.ChunkedArray, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column with nulls where a row is not chosen."""
    return pc.if_else(chosen, column, pa.scalar(None, column.type))


def set_column(rows: pa.Table, name: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Return rows with other values in a column of the schema."""
    return rows.set_column(rows.schema.get_field_index(name), SCHEMA.field(name), values)


def replaced_reasons(rows: pa.Table, reasons: Mapping[str, str], *, status: str) -> pa.Table:
    """Return rows where the files of some paths have another status and a reason.

    A file that is gone keeps its row.
    """
    paths = pa.array(list(reasons), pa.string())
    place = pc.index_in(rows["path"], paths)
    place = only_where(pc.not_equal(rows["status"], "absent"), place)
    there = pc.is_valid(place)
    why = pa.array(list(reasons.values()), pa.string()).take(place.combine_chunks())
    rows = set_column(rows, "status", pc.if_else(there, status, rows["status"]))
    return set_column(rows, "reason", pc.coalesce(pa.chunked_array([why]), rows["reason"]))
