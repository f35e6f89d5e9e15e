"""Corrections: other labels than those of the class folders or the table, and images left out.

The manifest keeps them: `given_label` is the label before a correction. It is the same as `label`
where the image is excluded.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from stores.decisions.decided import Decided
from stores.keys import KEY_BYTES
from stores.manifest import Manifest
from stores.manifest_rows import set_column
from stores.storage.repeated_values import nulls
from tasks.datasets.decided_rows import with_decided_labels
from tasks.datasets.label_notation import CLASSES, LabelNotation, in_notation
from tasks.datasets.path_table import PathTable, TableMistake, matched, read_path_table
from tasks.errors import InputError, unknown

EXCLUDE = "exclude"
NO_CORRECTIONS = Path("none")
_COLUMNS = ("path", "label", EXCLUDE)
NOTHING_DECIDED = Decided()
_YES, _NO = {"true", "yes", "x", "1", EXCLUDE}, {"false", "no", "0"}


class Corrected(NamedTuple):
    """Rows with their corrections, and remarks on those that have no effect."""

    rows: pa.Table
    notes: tuple[str, ...]


def read_corrections(path: Path | None) -> PathTable | None:
    """Read a table of corrections; None: those of the data set stay. No rows: there are none.

    Raises InputError if it is not valid; `noted` looks at the labels.
    """
    if path is None:
        return None
    if path == NO_CORRECTIONS:
        schema = pa.schema([(name, pa.string()) for name in _COLUMNS])
        return PathTable(str(path), schema.empty_table(), _COLUMNS)
    return read_path_table(path, "table of corrections", dict.fromkeys(_COLUMNS), _check)


def noted(table: PathTable, notation: LabelNotation, classes: Sequence[str]) -> PathTable:
    """Return corrections whose labels are as a manifest has them.

    Of several labels an empty cell is none. Raises InputError for a label that is not valid.
    """
    rows = table.rows
    empty = pc.and_(pc.is_null(rows["label"]), pc.invert(_excluded(rows, classes)))
    if notation.target != "labels" and pc.any(empty).as_py():
        at = pc.index(empty, True).as_py()
        raise InputError(
            f"{table.file}: row {at + 1}: {rows['path'][at].as_py()!r} has no label; give its "
            f"right label, or {EXCLUDE}, or remove the row"
        )
    return in_notation(table, notation, besides={"", EXCLUDE} - set(classes))


def corrected(
    rows: pa.Table,
    table: PathTable | None,
    previous: Manifest | None,
    classes: Sequence[str],
    folder: Path,
    decided: Decided = NOTHING_DECIDED,
    notation: LabelNotation = CLASSES,
) -> Corrected:
    """Return rows of files that have no corrections with those of a table, or of the data set.

    Images are known by their paths, and by their bytes, so that a renamed image and each copy
    under the same label is corrected too. What people decided on an image comes before that.
    Raises InputError for a label that is no class, or names none, unless somebody decided that it
    is one.
    """
    notes: tuple[str, ...] = ()
    if table is not None:
        wanted, notes = _by_table(rows, table, classes, folder)
        known = rows.append_column("wanted", wanted)
        known = known.filter(pc.is_valid(wanted)).select(_KNOWN)
    elif previous is not None and previous.rows["given_label"].null_count < len(previous.rows):
        kept = previous.rows.filter(pc.is_valid(previous.rows["given_label"]))
        known = pa.table([kept["key"], kept["given_label"], kept["label"]], _KNOWN)
        there = kept.filter(pc.not_equal(kept["status"], "absent"))
        place = pc.index_in(rows["path"], there["path"].combine_chunks())
        same = pc.equal(there["given_label"].take(place), rows["label"])
        wanted = pc.if_else(same, there["label"].take(place), pa.scalar(None, pa.string()))
    elif decided.labels:
        wanted, known = nulls(len(rows), pa.string()), _NOTHING_KNOWN
    else:
        return Corrected(rows, ())
    wanted = pc.coalesce(wanted, _by_bytes(rows, known))
    wanted = with_decided_labels(rows, wanted, decided, by_table=table is not None)
    classes = [*classes, *sorted(decided.new_labels - set(classes))]
    usable = pc.and_(pc.is_valid(rows["key"]), pc.is_valid(wanted))
    for text in wanted.filter(usable).unique().to_pylist():
        if strange := notation.first_unknown(text, classes):
            at = pc.index(pc.if_else(usable, wanted, None), text).as_py()
            raise InputError(
                f"{table.file if table else folder}: correction of {rows['path'][at].as_py()!r}: "
                f"{unknown(notation.noun, strange, classes)}; give a label of the data set, or "
                f"{EXCLUDE}; --corrections none undoes all"
            )
    given = pc.if_else(usable, rows["label"], pa.scalar(None, pa.string()))
    used = pc.and_(usable, pc.equal(rows["status"], "accepted"))
    excluded = pc.and_kleene(used, pc.equal(given, wanted))
    status = pc.if_else(excluded, "excluded", rows["status"])
    rows = set_column(rows, "status", status)
    rows = set_column(rows, "label", pc.if_else(usable, wanted, rows["label"]))
    return Corrected(set_column(rows, "given_label", given), notes)


def are_kept(
    previous: Manifest,
    table: PathTable | None,
    decided: Decided = NOTHING_DECIDED,
    *,
    notes: tuple[str, ...],
) -> bool:
    """Return whether a data set whose files are unchanged has these corrections and notes."""
    gone = pc.equal(previous.rows["status"], "absent")
    there = previous.rows.filter(pc.invert(gone))
    if table is not None and previous.rows["given_label"].filter(gone).drop_null():
        return False
    again = corrected(
        without_corrections(there),
        table,
        previous,
        previous.classes,
        Path(previous.folder),
        decided,
        LabelNotation.of(previous),
    )
    return previous.notes == (*notes, *again.notes) and all(
        again.rows[name].equals(there[name]) for name in ("label", "given_label")
    )


def without_corrections(rows: pa.Table) -> pa.Table:
    """Return rows with the labels of the class folders or the table, and nothing excluded."""
    if rows["given_label"].null_count == len(rows):
        return rows
    rows = set_column(rows, "label", pc.coalesce(rows["given_label"], rows["label"]))
    was_used = pc.equal(rows["status"], "excluded")
    rows = set_column(rows, "status", pc.if_else(was_used, "accepted", rows["status"]))
    return set_column(rows, "given_label", pa.chunked_array([pa.nulls(len(rows), pa.string())]))


def by_table(
    rows: pa.Table, table: PathTable | None, classes: Sequence[str], folder: Path
) -> pa.ChunkedArray | None:
    """Return the label that a table wants each row to have, or null; None without a table."""
    if table is None or not len(table.rows):
        return None
    wanted, _ = _by_table(rows, table, classes, folder)
    known = rows.append_column("wanted", wanted)
    known = known.filter(pc.is_valid(wanted)).select(_KNOWN)
    return pc.coalesce(wanted, _by_bytes(rows, known))


_KNOWN = ["key", "label", "wanted"]
_NOTHING_KNOWN = pa.table(
    [pa.array([], kind) for kind in (pa.binary(KEY_BYTES), pa.string(), pa.string())], _KNOWN
)


def _by_table(
    rows: pa.Table, table: PathTable, classes: Sequence[str], folder: Path
) -> tuple[pa.ChunkedArray, tuple[str, ...]]:
    """Return the label that each row is to have, its own if it is excluded, or null; and notes."""
    asked, gone = matched(table, rows["path"], folder)
    asked = asked.append_column("out", _excluded(asked, classes))
    there = pc.index_in(rows["path"], asked["path"].combine_chunks())
    out, label = asked["out"].take(there), asked["label"].take(there)
    images = pc.and_(pc.is_valid(there), pc.is_valid(rows["key"]))
    relabelled = pc.and_kleene(images, pc.invert(out))
    same = pc.and_kleene(relabelled, pc.equal(label, rows["label"]))
    wanted = pc.if_else(out, rows["label"], label)
    wanted = pc.if_else(
        pc.and_kleene(images, pc.invert(same)), wanted, pa.scalar(None, pa.string())
    )
    unused = rows["path"].filter(pc.and_(pc.is_valid(there), pc.is_null(rows["key"])))
    notes = {
        "of files that are not there": gone,
        "of files that are no usable images": unused,
        "of images that have this label": rows["path"].filter(same),
    }
    return wanted, tuple(
        f"{len(paths)} corrections without effect, {why} (for one, {paths[0].as_py()!r})"
        for why, paths in notes.items()
        if len(paths)
    )


def _excluded(asked: pa.Table, classes: Sequence[str]) -> pa.ChunkedArray:
    """Return which rows of a table exclude an image; a class of that name has to be meant."""
    flagged = pc.is_in(pc.utf8_lower(asked[EXCLUDE]), pa.array(sorted(_YES)))
    if EXCLUDE in classes:
        return flagged
    return pc.or_(flagged, pc.is_in(asked["label"], pa.array([EXCLUDE])))


def _by_bytes(rows: pa.Table, known: pa.Table) -> pa.ChunkedArray:
    """Return the label that rows are to have by their key and label, as of other rows; or null."""
    known = known.filter(pc.is_valid(known["key"]))
    if not len(known):
        return pa.chunked_array([pa.nulls(len(rows), pa.string())])
    alike = pc.is_in(rows["key"], known["key"].combine_chunks()).combine_chunks()
    place = pc.index_in(_named(rows.filter(alike)), _named(known).combine_chunks())
    found = known["wanted"].take(place).combine_chunks()
    nulls = pa.nulls(len(rows), pa.string())
    return pa.chunked_array([pc.replace_with_mask(nulls, alike, found)])


def _named(rows: pa.Table) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(
        rows["key"].cast(pa.binary()), rows["label"].cast(pa.binary()), b""
    )


def _check(number: int, row: Mapping[str, str | None]) -> None:
    path, out = row["path"], (row.get(EXCLUDE) or "").lower()
    if out and out not in _YES | _NO:
        raise TableMistake(
            f"row {number}: exclude of {path!r} must be true or false. Received: {out!r}"
        )
