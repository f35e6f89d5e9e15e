"""What the rows of a manifest must be like, checked before anything is made of them."""

from collections.abc import Collection, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from stores.storage.safe_files import leads_out

_MAY_BE_EMPTY = {"key", "label", "split"}  # but not of an accepted image


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
    strange = [path for path in table["path"].to_pylist() if leads_out(path)]
    if strange:
        raise ValueError(f"path {strange[0]!r}")


def _only(column: pa.ChunkedArray, known: Collection[str], what: str) -> None:
    if strange := set(column.unique().to_pylist()) - set(known):
        raise ValueError(f"{what} {min(strange)!r}")
