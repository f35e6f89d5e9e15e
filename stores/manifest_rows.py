"""What the rows of a manifest must be like, checked before anything is made of them."""

from collections.abc import Collection, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from stores.storage.safe_files import leads_out

_MAY_BE_EMPTY = {"key", "label", "split"}  # but not of an accepted image
_MOST_BYTES = {"path": 2**14, "label": 2**12, "reason": 2**16}


def check_rows(
    table: pa.Table,
    schema: pa.Schema,
    *,
    classes: Sequence[str],
    statuses: Collection[str],
    splits: Collection[str],
) -> None:
    """Raise ValueError where rows are not a manifest's: columns, types, names, empty cells."""
    for field in table.schema:
        if field.name not in schema.names or field.type != schema.field(field.name).type:
            raise ValueError(f"column {field.name} of {field.type}")
        if table[field.name].null_count and field.name not in _MAY_BE_EMPTY:
            raise ValueError(f"column {field.name} has empty cells")
    _only(table["status"], statuses, "status")
    _only(table["split"].drop_null(), splits, "split")
    accepted = table.filter(pc.equal(table["status"], "accepted"))
    for name in sorted(_MAY_BE_EMPTY):
        if accepted[name].null_count:
            raise ValueError(f"an accepted image has no {name}")
    if len(set(classes)) != len(classes):
        raise ValueError("a class is named twice")
    _only(accepted["label"], classes, "label")
    _check_distinct(table)
    strange = [path for path in table["path"].to_pylist() if leads_out(path)]
    if strange:
        raise ValueError(f"path {strange[0]!r}")


def _check_distinct(table: pa.Table) -> None:
    """Raise ValueError where a file is there twice, or a text is longer than any that is written.

    A path may be there again as absent: other bytes were there before.
    """
    for name, most in _MOST_BYTES.items():
        if (pc.max(pc.binary_length(table[name])).as_py() or 0) > most:
            raise ValueError(f"column {name} has more than {most} bytes in a row")
    absent = pc.equal(table["status"], "absent")
    for rows, name in ((table.filter(pc.invert(absent)), "path"), (table.filter(absent), "key")):
        if len(rows[name].unique()) != rows.num_rows:
            raise ValueError(f"two files have the same {name}")


def _only(column: pa.ChunkedArray, known: Collection[str], what: str) -> None:
    if strange := set(column.unique().to_pylist()) - set(known):
        raise ValueError(f"{what} {min(strange)!r}")
