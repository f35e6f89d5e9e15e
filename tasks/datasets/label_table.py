"""Tables of labels: the label, split, group and time of each image, by its path."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from stores.manifest import SPLITS, Manifest
from tasks.datasets.corrections import without_corrections
from tasks.datasets.folder_layout import TABLE
from tasks.datasets.label_notation import CLASSES, LabelNotation, in_notation
from tasks.datasets.path_table import PathTable, TableMistake, read_path_table
from tasks.errors import InputError

COLUMNS = ("path", "label", "split", "group", "time")
KIND = "table of labels"
IMAGE = "image"  # of a Parquet file that holds the images themselves; see packed_images
_ROWS_AT_ONCE = 2**16


@dataclass(frozen=True)
class LabelRule:
    """Where labels and groups come from; by default labels are the names of the class folders.

    `columns` are the names that the file's columns have, by ours, `COLUMNS` and `IMAGE`. With a
    `label_separator` its labels are several, with a `target` they are the numbers in that column.
    """

    file: Path | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    group_pattern: str | None = None  # on the path; "none": no groups any more
    needed: bool = True  # if not, a flat folder is a data set without labels
    corrections: Path | None = None  # "none": no corrections any more
    unpacked: "Unpacked | None" = None  # of a file that holds the images themselves
    label_separator: str | None = None
    target: str | None = None
    kept: LabelNotation = CLASSES  # of the data set, where the rule says nothing else

    @property
    def notation(self) -> LabelNotation:
        """How the file writes labels."""
        if self.target:
            return LabelNotation("number", column=self.target)
        if self.label_separator:
            return LabelNotation("labels", separator=self.label_separator)
        return self.kept

    def column(self, name: str) -> str | None:
        """Return the name that one of our columns has in the file; None: no other one."""
        number = self.notation.column if name == "label" else ""
        return self.columns.get(name) or number or None

    def requires(self, name: str) -> bool:
        """Return whether the file has to have one of our columns, as its name was given."""
        return name in self.columns or (name == "label" and self.target is not None)

    def flag(self) -> str:
        """Return the flag that says what a label is, as it was given, or an empty text."""
        if self.target:
            return f"--target {self.target}"
        return f"--label-separator {self.label_separator!r}" if self.label_separator else ""

    def with_kept(self, previous: Manifest | None) -> "LabelRule":
        """Return the rule with what a data set's labels are; raises InputError for another target.

        The target of a data set is for good: its images would be others to all that was trained.
        """
        self._check()
        if previous is None or not previous.classes:
            return self
        kept, given = LabelNotation.of(previous), self.notation
        if self.flag() and given != kept:
            raise InputError(
                f"{self.flag()}: data set {previous.name!r} has {kept.shown}; leave the flag out, "
                "or give a new name with --dataset"
            )
        return replace(self, kept=kept)

    def _check(self) -> None:
        """Raise InputError for flags that contradict one another."""
        if self.label_separator and self.target:
            raise InputError(
                f"--label-separator {self.label_separator!r} and --target {self.target}: a label "
                "is several labels, or a number; give one of the two"
            )
        if self.label_separator and not self.label_separator.isprintable():
            raise InputError(
                f"--label-separator {self.label_separator!r}: expected printable characters such "
                "as '|'"
            )
        if not self.target:
            return
        if "label" in self.columns:
            raise InputError(
                f"--target {self.target} and --column label={self.columns['label']}: both name the "
                "column of the labels; give one of the two"
            )
        if self.target in COLUMNS and self.target != "label":
            raise InputError(
                f"--target {self.target}: a column of this name has the {self.target} of each "
                "image; give the column of the numbers, or rename it in the table"
            )


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
    notation = rule.notation
    table = read_path_table(
        rule.file,
        KIND,
        {name: rule.column(name) for name in COLUMNS},
        _check if notation.target == "classes" else _check_split,
        flag="--column",
        optional=[name for name in COLUMNS if not rule.requires(name)],
        as_texts={} if notation.target == "classes" else {"label": notation.cell},
    )
    return in_notation(table, notation)


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
    header = {"label": manifest.classes[0]} if manifest.target == "number" else {}
    table.writerow(header.get(name, name) for name in names)
    for batch in rows.select(names).to_batches(_ROWS_AT_ONCE):
        table.writerows(zip(*(column.to_pylist() for column in batch), strict=True))
    return sink.getvalue().encode()


def _check(number: int, row: Mapping[str, str | None]) -> None:
    """Raise TableMistake for a row without a label, or with a split that is none."""
    if "label" in row and not row["label"]:
        raise TableMistake(
            f"row {number}: {row['path']!r} has no label; fill it in, or remove the row"
        )
    _check_split(number, row)


def _check_split(number: int, row: Mapping[str, str | None]) -> None:
    path, split = row["path"], row.get("split")
    if split and split not in SPLITS:
        raise TableMistake(
            f"row {number}: the split of {path!r} must be one of {', '.join(SPLITS)}. "
            f"Received: {split!r}"
        )
