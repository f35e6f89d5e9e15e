"""The rows of a manifest: their columns, and what they must be like before anything uses them."""

import binascii
import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stores.dataset_summary import Correction, GroupCounts
from stores.keys import Keys, from_arrow, in_order, is_first
from stores.storage.repeated_values import nulls
from stores.storage.safe_files import LEADS_OUT

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
_LINES_AT_ONCE = 2**16  # of 80 bytes: memory that is given back and taken again costs nothing
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
) -> None:
    """Raise ValueError where rows are not a manifest's: columns, types, names, empty cells."""
    for field in table.schema:
        if field.name not in SCHEMA.names or field.type != SCHEMA.field(field.name).type:
            raise ValueError(f"column {field.name} of {field.type}")
        if table[field.name].null_count and field.name not in _MAY_BE_EMPTY:
            raise ValueError(f"column {field.name} has empty cells")
    _only(table["status"], statuses, "status")
    for name in {"split", "given_split"} & set(table.schema.names):
        _only(table[name], splits, name)
    _check_accepted(table, classes)
    _check_distinct(table)
    _check_paths(table["path"])


def _check_accepted(table: pa.Table, classes: Sequence[str]) -> None:
    """Raise ValueError where an accepted image has no key or label, or a label that is no class."""
    accepted = pc.equal(table["status"], "accepted")
    for name in ("key", *(_LABELLING if classes else ())):
        if pc.any(pc.and_(accepted, pc.is_null(table[name]))).as_py():
            raise ValueError(f"an accepted image has no {name}")
    for name in () if classes else _LABELLING:
        if pc.any(pc.and_(accepted, pc.is_valid(table[name]))).as_py():
            raise ValueError(f"an accepted image has a {name}, though there are no classes")
    if len(set(classes)) != len(classes):
        raise ValueError("a class is named twice")
    _only(filtered(table.select(["label"]), accepted)["label"], classes, "label")


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


def is_sorted(texts: pa.ChunkedArray | pa.Array) -> bool:
    """Return whether texts are in order, and none is there twice."""
    if len(texts) < 2:
        return True
    return bool(pc.all(pc.less(texts.slice(0, len(texts) - 1), texts.slice(1))).as_py())


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


def grouping_digest(keys: Keys, groups: NDArray[np.int64] | None) -> str:
    """Return SHA-256 over (key, first key of its group) of images that share one; '' for none.

    Neither the names of groups nor the order of images matter.
    """
    if groups is None:
        return ""
    order = in_order(keys)
    _, first, which, counts = np.unique(
        groups[order], return_index=True, return_inverse=True, return_counts=True
    )
    shared = counts[which] > 1
    pairs = np.concatenate([keys[order[shared]], keys[order[first[which[shared]]]]], axis=1)
    return hashlib.sha256(pairs.tobytes()).hexdigest() if shared.any() else ""


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


def digest_of(rows: pa.Table) -> str:
    """Return the SHA-256 over the sorted lines `key, split, label` of rows, each line once.

    A split or label that is null is an empty text.
    """
    keys = from_arrow(rows["key"])
    order = in_order(keys)
    # Splits and labels are few: a row is the number of its pair, which is quicker to sort.
    columns = (pc.fill_null(rows[name].combine_chunks(), "") for name in ("split", "label"))
    splits, labels = (column.dictionary_encode() for column in columns)
    count = max(1, len(labels.dictionary))
    numbers = splits.indices.to_numpy().astype(np.int64) * count + labels.indices.to_numpy()
    pairs = np.arange(len(splits.dictionary) * len(labels.dictionary))
    texts = pc.binary_join_element_wise(
        "",
        splits.dictionary.take(pa.array(pairs // count)),
        pc.binary_join_element_wise(labels.dictionary.take(pa.array(pairs % count)), "\n", ""),
        "\t",
    )
    digest, start = hashlib.sha256(), 0
    while start < len(order):
        end = min(start + _LINES_AT_ONCE, len(order))
        while end < len(order) and (keys[order[end]] == keys[order[end - 1]]).all():
            end += 1  # the lines of one key are sorted together
        chosen = order[start:end]
        lines = _lines(keys[chosen], texts.take(pa.array(numbers[chosen])))
        digest.update(lines if end < len(order) else lines[:-1])  # no newline at the end
        start = end
    return digest.hexdigest()


def _lines(keys: Keys, texts: pa.StringArray) -> memoryview:
    """Return the sorted lines, each once, of rows that are sorted by their keys."""
    hexadecimal = binascii.hexlify(keys.data)
    places = np.arange(len(keys) + 1, dtype=np.int32) * 64
    names = pa.StringArray.from_buffers(len(keys), pa.py_buffer(places), pa.py_buffer(hexadecimal))
    lines = pc.binary_join_element_wise(names, texts, "")
    if (keys[1:] == keys[:-1]).all(axis=1).any():
        lines = lines.unique()
        bare = pc.binary_slice(lines.cast(pa.binary()), 0, -1)  # a label may have a tab
        lines = lines.take(pc.sort_indices(bare))
    _, _, content = lines.buffers()
    return memoryview(content)[: pc.sum(pc.binary_length(lines)).as_py()]


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
