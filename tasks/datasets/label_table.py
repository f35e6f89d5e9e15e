"""Tables of labels: the label, split, group and time of each image, by its path."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from stores.manifest import SPLITS, Manifest
from tasks.datasets.corrections import without_corrections
from tasks.datasets.folder_layout import TABLE
from tasks.datasets.path_table import PathTable, TableMistake, read_path_table

COLUMNS = ("path", "label", "split", "group", "time")
KIND = "table of labels"
IMAGE = "image"  # of a Parquet file that holds the images themselves; see packed_images
_ROWS_AT_ONCE = 2**16


@dataclass(frozen=True)
class LabelRule:
    """Where labels and groups come from; by default labels are the names of the class folders.

    `columns` are the names that the file's columns have, by ours, `COLUMNS` and `IMAGE`.
    """

    file: Path | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    group_pattern: str | None = None  # on the path; "none": no groups any more
    needed: bool = True  # if not, a flat folder is a data set without labels
    corrections: Path | None = None  # "none": no corrections any more
    unpacked: "Unpacked | None" = None  # of a file that holds the images themselves


@dataclass(frozen=True)
class Unpacked:
    """The table of images that a Parquet file held, and remarks on those that it did not."""

    table: PathTable
    notes: tuple[str, ...]


BY_FOLDERS = LabelRule()


def read_label_table(rule: LabelRule) -> PathTable | None:
    """Read a table of labels, .csv, .tsv, .jsonl or .parquet; None if the rule has none.

    Raises InputError if it is not valid. Paths are as the file has them.
    """
    if rule.file is None:
        return None
    if rule.unpacked:
        return rule.unpacked.table
    columns = {name: rule.columns.get(name) for name in COLUMNS}
    return read_path_table(rule.file, KIND, columns, _check, flag="--column")


def kept_table(manifest: Manifest) -> PathTable:
    """Return the labels of a data set that was ingested with a table before."""
    rows = manifest.rows.filter(pc.not_equal(manifest.rows["status"], "absent"))
    rows = without_corrections(rows).filter(pc.is_valid(rows["label"])).select(["path", "label"])
    return PathTable(
        "", rows.append_column("split", pa.nulls(len(rows), pa.string())), ("path", "label")
    )


def labels_csv(manifest: Manifest) -> bytes:
    """Return labels and groups as a table; empty where class folders and a pattern give them.

    Corrected labels are in the table, and excluded images are not.
    """
    rows = manifest.of_status("accepted")
    # A pattern does not give the groups of near-duplicates.
    by_pattern = manifest.group_pattern and manifest.keep_together == "none"
    grouped = rows["group"].null_count < len(rows) and not by_pattern
    corrected = manifest.rows["given_label"].null_count < len(manifest.rows)
    if manifest.layout != TABLE and not grouped and not corrected:
        return b""
    sink = io.StringIO()
    table = csv.writer(sink, lineterminator="\n")
    names = ["path", "label", "group"] if grouped else ["path", "label"]
    table.writerow(names)
    for batch in rows.select(names).to_batches(_ROWS_AT_ONCE):
        table.writerows(zip(*(column.to_pylist() for column in batch), strict=True))
    return sink.getvalue().encode()


def classes_of(rows: pa.Table) -> tuple[str, ...]:
    """Return the names of the classes in a table of labels, sorted."""
    return tuple(sorted(rows["label"].drop_null().unique().to_pylist()))


def _check(number: int, row: Mapping[str, str | None]) -> None:
    """Raise TableMistake for a row without a label, or with a split that is none."""
    path, split = row["path"], row.get("split")
    if "label" in row and not row["label"]:
        raise TableMistake(f"row {number}: {path!r} has no label; fill it in, or remove the row")
    if split and split not in SPLITS:
        raise TableMistake(
            f"row {number}: the split of {path!r} must be one of {', '.join(SPLITS)}. "
            f"Received: {split!r}"
        )
