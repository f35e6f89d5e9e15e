"""What the summary of a data set counts and lists of its rows."""

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from stores.dataset_summary import (
    Correction,
    FileReason,
    GroupCounts,
    NumberRange,
    RemarkCount,
)
from stores.manifest_rows import first_of_each
from stores.targets import Target, names_of

Split = TypeVar("Split", bound=str)


@dataclass(frozen=True)
class Written:
    """What the labels of a data set's rows are, and the splits."""

    classes: Sequence[str]
    splits: Sequence[str]
    target: Target
    separator: str

    def names_of(self, label: str | None) -> Sequence[str]:
        """Return for which of the classes an image with this label counts."""
        if self.target == "labels" and label is not None:
            return names_of(label, self.separator)
        if self.target == "number":
            return self.classes
        return () if label is None else [label]


def class_counts(rows: pa.Table, written: Written) -> dict[str, dict[str, int]]:
    """Return the number of images of each class, or label, in each split."""
    kinds = ["label", "split"]
    if written.target == "number":
        rows = rows.set_column(
            rows.schema.get_field_index("label"), "label", pa.nulls(len(rows), pa.string())
        )
    counts = {name: dict.fromkeys(written.splits, 0) for name in written.classes}
    for row in rows.group_by(kinds).aggregate([([], "count_all")]).to_pylist():
        for name in written.names_of(row["label"]):
            counts[name][row["split"]] += row["count_all"]
    return counts


def split_counts(found: pa.ChunkedArray, splits: Sequence[Split]) -> dict[Split, int]:
    """Return the number of images in each split, from the split of each."""
    counts = Counter({row["values"]: row["counts"] for row in pc.value_counts(found).to_pylist()})
    return {split: counts[split] for split in splits}


def without_label(rows: pa.Table, written: Written) -> dict[str, int]:
    """Return the number of images that have none of several labels, in each split."""
    if written.target != "labels":
        return {}
    none = rows.filter(pc.equal(rows["label"], ""))
    return split_counts(none["split"], written.splits)


def number_ranges(rows: pa.Table, written: Written) -> dict[str, NumberRange]:
    """Return the numbers of the images in each split that has some."""
    if written.target != "number":
        return {}
    numbers = pa.table({"split": rows["split"], "number": rows["label"].cast(pa.float64())})
    found = numbers.group_by("split").aggregate(
        [("number", name) for name in ("count", "min", "mean", "max")]
    )
    by_split = {
        row["split"]: NumberRange(
            images=row["number_count"],
            smallest=row["number_min"],
            mean=row["number_mean"],
            largest=row["number_max"],
        )
        for row in found.to_pylist()
    }
    return {split: by_split[split] for split in written.splits if split in by_split}


def not_together(rows: pa.Table, dataset: str, untold: str) -> Iterator[str]:
    """Yield why near-duplicates may be in two splits, though they are to be kept together."""
    if untold:
        yield f"near-duplicates may be in two splits: {untold}"
    if count := pc.sum(rows["open_split"]).as_py():
        yield (
            f"near-duplicates of {count:,} images are not searched yet, so their splits may "
            f"change; first comes python -m flows.extract {shlex.quote(dataset)}"
        )


def group_counts(rows: pa.Table) -> GroupCounts | None:
    """Return the groups of distinct images in each split, and the largest; None without groups."""
    if rows["group"].null_count == len(rows):
        return None
    rows = first_of_each(rows)
    grouped = rows.filter(pc.is_valid(rows["group"])).group_by(["group", "split"])
    counts = grouped.aggregate([([], "count_all")])
    if not len(counts):
        return None
    by_split = Counter(counts["split"].to_pylist())
    largest = counts.slice(pc.index(counts["count_all"], pc.max(counts["count_all"])).as_py(), 1)
    return GroupCounts(
        train=by_split["train"],
        validation=by_split["validation"],
        test=by_split["test"],
        largest=largest["group"][0].as_py(),
        largest_images=largest["count_all"][0].as_py(),
    )


def corrections_of(rows: pa.Table) -> tuple[Correction, ...]:
    """Return the images of a data set whose label is corrected, or that are excluded."""
    there = pc.and_(pc.is_valid(rows["given_label"]), pc.not_equal(rows["status"], "absent"))
    listed = rows.filter(there).select(["path", "given_label", "label"]).to_pylist()
    return tuple(
        Correction(**row | {"label": None if row["label"] == row["given_label"] else row["label"]})
        for row in listed
    )


def remark_counts(rows: pa.Table) -> tuple[RemarkCount, ...]:
    """Return each remark with the number of images that have it, and one of them."""
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    kinds = rows.group_by("reason", use_threads=False)
    for kind in kinds.aggregate([("path", "count"), ("path", "first")]).to_pylist():
        for remark in filter(None, kind["reason"].split("; ")):
            alike = re.sub(r"\d+ (?=frames|of 255)", "N ", remark)
            counts[alike] += kind["path_count"]
            examples.setdefault(alike, kind["path_first"])
    return tuple(RemarkCount(what, n, examples[what]) for what, n in counts.most_common())


def reasons(rows: pa.Table) -> tuple[FileReason, ...]:
    """Return the files of rows, each with its reason."""
    return tuple(FileReason(row["path"], row["reason"]) for row in rows.to_pylist())
