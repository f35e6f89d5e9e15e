"""What the summary of a data set counts and lists of its rows."""

import re
from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc

from stores.dataset_summary import Correction, FileReason, GroupCounts, RemarkCount
from stores.manifest_rows import first_of_each


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
