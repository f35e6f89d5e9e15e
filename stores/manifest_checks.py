"""What the rows of a manifest must be like before anything uses them."""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.compute as pc

from stores.manifest_rows import SCHEMA, filtered
from stores.storage.safe_files import LEADS_OUT
from stores.targets import MOST_LABELS, Target, check_label

_ONLY_TOGETHER = ("given_group", "given_split", "near_group", "open_split")
_MAY_BE_EMPTY = {"key", "label", "split", "group", "given_label", "time", *_ONLY_TOGETHER}
_LABELLING = ("label", "split")  # of an accepted image; null where a data set has no classes
_NAMES = ("label", "group", "given_label", "given_group", "near_group")
LONGEST_NAME = 2**12  # bytes of a class or a group
_MOST_BYTES = {"path": 2**14, "reason": 2**16} | dict.fromkeys(_NAMES, LONGEST_NAME)


def check_rows(
    table: pa.Table,
    *,
    classes: Sequence[str],
    statuses: Collection[str],
    splits: Collection[str],
    target: Target = "classes",
    separator: str = "",
) -> None:
    """Raise ValueError where rows are not a manifest's: columns, types, names, empty cells."""
    named = {
        "classes": True,
        "labels": 0 < len(classes) <= MOST_LABELS,
        "number": len(classes) == 1,
    }
    if (target == "labels") != bool(separator) or not named[target]:
        raise ValueError(f"{target} of {len(classes)} names, separated by {separator!r}")
    for field in table.schema:
        if field.name not in SCHEMA.names or field.type != SCHEMA.field(field.name).type:
            raise ValueError(f"column {field.name} of {field.type}")
        if table[field.name].null_count and field.name not in _MAY_BE_EMPTY:
            raise ValueError(f"column {field.name} has empty cells")
    _only(table["status"], statuses, "status")
    for name in {"split", "given_split"} & set(table.schema.names):
        _only(table[name], splits, name)
    _check_accepted(table, classes, target, separator)
    _check_distinct(table)
    _check_paths(table["path"])


def _check_accepted(
    table: pa.Table, classes: Sequence[str], target: Target, separator: str
) -> None:
    """Raise ValueError where an accepted image has no key or label, or one of another target."""
    accepted = pc.equal(table["status"], "accepted")
    for name in ("key", *(_LABELLING if classes else ())):
        if pc.any(pc.and_(accepted, pc.is_null(table[name]))).as_py():
            raise ValueError(f"an accepted image has no {name}")
    for name in () if classes else _LABELLING:
        if pc.any(pc.and_(accepted, pc.is_valid(table[name]))).as_py():
            raise ValueError(f"an accepted image has a {name}, though there are no classes")
    if len(set(classes)) != len(classes):
        raise ValueError("a class is named twice")
    labels = filtered(table.select(["label"]), accepted)["label"].unique().drop_null()
    known = frozenset(classes)
    for text in labels.to_pylist():
        check_label(text, known, target, separator)


def _check_distinct(table: pa.Table) -> None:
    """Raise ValueError where a file is there twice, or a text is longer than any that is written.

    A path may be there again as absent: other bytes were there before.
    """
    for name, most in _MOST_BYTES.items():
        there = name in table.schema.names
        if there and (pc.max(pc.binary_length(table[name])).as_py() or 0) > most:
            raise ValueError(f"column {name} has more than {most} bytes in a row")
    absent = pc.equal(table["status"], "absent")
    paths = filtered(table.select(["path"]), pc.invert(absent))["path"]
    if not is_sorted(paths) and len(paths.unique()) != len(paths):
        raise ValueError("two files have the same path")
    gone = table["key"].filter(absent)
    if gone.null_count > 1 or len(gone.unique()) != len(gone):
        raise ValueError("two files have the same key")


def _check_paths(paths: pa.ChunkedArray) -> None:
    """Raise ValueError for a path that leads out of its folder."""

    def strange(some: pa.StringArray) -> pa.StringArray:
        return some.filter(pc.match_substring_regex(some, LEADS_OUT))

    with ThreadPoolExecutor(2) as pool:  # by one, it is half of what the check of rows takes
        for found in pool.map(strange, paths.chunks):
            if len(found):
                raise ValueError(f"path {found[0].as_py()!r}")


def _only(column: pa.ChunkedArray, known: Collection[str], what: str) -> None:
    """Raise ValueError where there is another value than those known; null is another's matter."""
    if strange := set(column.unique().drop_null().to_pylist()) - set(known):
        raise ValueError(f"{what} {min(strange)!r}")


def is_sorted(texts: pa.ChunkedArray | pa.Array) -> bool:
    """Return whether texts are in order, and none is there twice."""
    if len(texts) < 2:
        return True
    return bool(pc.all(pc.less(texts.slice(0, len(texts) - 1), texts.slice(1))).as_py())
