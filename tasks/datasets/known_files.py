"""What a manifest knows of listed files, by their stamps: only other files are read."""

import os
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stores.decisions.decided import Decided
from stores.keys import in_one_piece
from stores.manifest import Manifest
from stores.manifest_rows import (
    SCHEMA,
    STAMP,
    filtered,
    only_where,
    places_of,
    set_column,
    with_columns,
)
from stores.orientation import Orientation
from stores.storage.repeated_values import RepeatedValues, nulls, slices
from tasks.datasets.corrections import NOTHING_DECIDED, without_corrections
from tasks.datasets.decided_rows import with_decided_groups
from tasks.datasets.folder_listing import OTHER_ENDING, Listing
from tasks.datasets.groups import given_groups, with_groups
from tasks.images.image_check import EXAMINATION, WITHOUT_HEIC, Examined, can_read_heic

# The resolution of a file system's clock. Files that changed so shortly before the listing are
# read again.
CLOCK_TICK_NS = 20_000_000
# The result of the check of a file.
EXAMINED = pa.schema([SCHEMA.field(name) for name in ("path", "key", "status", "reason")])
_OF_FEW_VALUES = [name for name in SCHEMA.names if name not in {"path", "key", *STAMP}]


@dataclass(frozen=True)
class ReadAhead:
    """The results of files that were read before an ingest.

    `rows` have the columns of EXAMINED and a file's stamp as it was before that; `listed_ns` is
    when it was.
    """

    rows: pa.Table
    listed_ns: int
    orientation: Orientation


def is_up_to_date(previous: Manifest, listing: Listing, decided: Decided = NOTHING_DECIDED) -> bool:
    """Return whether a manifest has the listed files, unchanged and under the same labels."""
    files, there = listing.files, _there(previous)
    return (
        files["path"].equals(there["path"])
        and files["label"].equals(there["label"])
        and bool(pc.all(_is_known(there, previous.listed_ns, listing)).as_py())
        and files["time"].equals(there["time"])
        and _groups(there, listing, decided).equals(given_groups(there, previous))
    )


def _groups(there: pa.Table, listing: Listing, decided: Decided) -> pa.ChunkedArray:
    """Return the groups that listed files are to have, by their rows."""
    kept, given = listing.keeps_groups, listing.files["group"]
    return with_groups(there, with_decided_groups(there, given, decided, kept=kept))["group"]


def known_rows(previous: Manifest, listing: Listing) -> pa.Table:
    """Return path, key, status and reason of each listed file; null for those to be read."""
    there = _there(previous)
    if not listing.files["path"].equals(there["path"]):
        place = pc.index_in(listing.files["path"], there["path"].combine_chunks())
        there = there.take(place)
    wanted = pc.and_kleene(
        pc.is_in(there["status"], pa.array(["accepted", "rejected"])),
        pc.and_kleene(listing.files["is_image"], _is_known(there, previous.listed_ns, listing)),
    )
    keep = pc.and_(pc.fill_null(wanted, False), previous.examination == EXAMINATION)  # noqa: FBT003
    columns = {name: only_where(keep, there[name]) for name in EXAMINED.names}
    return pa.table(columns, schema=EXAMINED)


def nothing_known(listing: Listing) -> pa.Table:
    """Return what `known_rows` returns where each file is to be read."""
    return pa.table({field.name: nulls(len(listing.files), field.type) for field in EXAMINED})


def is_unread(listing: Listing, known: pa.Table) -> pa.ChunkedArray:
    """Return which files are images to be read; `known` has a row for each."""
    files = listing.files
    readable = pc.and_(files["is_image"], pc.equal(files["trouble"], ""))
    return pc.and_(readable, pc.is_null(known["status"]))


def with_read_ahead(known: pa.Table, ahead: ReadAhead, listing: Listing) -> tuple[pa.Table, int]:
    """Return known rows with those of files that were read before, and the number of these.

    A file that has changed since is to be read, as is one that could not be read.
    """
    there = ahead.rows
    if not listing.files["path"].equals(there["path"]):
        there = there.take(places_of(listing.files["path"], there["path"]))
    usable = pc.and_(is_unread(listing, known), pc.is_valid(there["key"]))
    usable = pc.and_kleene(usable, _is_known(there, ahead.listed_ns, listing))
    usable = pc.fill_null(usable, False)  # noqa: FBT003
    there = there.select(EXAMINED.names)
    if not pc.all(usable).as_py():  # else they are taken without a copy
        columns = {n: pc.if_else(usable, there[n], known[n]) for n in EXAMINED.names}
        there = pa.table(columns, schema=EXAMINED)
    return there, pc.sum(usable).as_py() or 0


def examined_table(paths: Iterable[str], results: Iterable[Examined]) -> pa.Table:
    """Return the results of the check of some files, with the columns of EXAMINED."""
    found = list(results)
    columns = ([getattr(one, name) for one in found] for name in EXAMINED.names[1:])
    return pa.table([list(paths), *columns], schema=EXAMINED)


def rows_of(listing: Listing, known: pa.Table, examined: pa.Table) -> pa.Table:
    """Return the manifest's rows of listed files, regardless of their copies.

    `known` has a row for each file, with nulls for those that are in `examined`, or are no images.
    """
    place = pa.table([places_of(listing.files["path"], examined["path"])], ["place"])
    examined = examined.select(["key", "status", "reason"])
    repeated, parts = RepeatedValues(), [SCHEMA.empty_table()]
    for files, had, places in slices(listing.files, known, place):
        part = _rows(files, had, examined.take(places["place"]), listing.unlabelled)
        for name in _OF_FEW_VALUES:
            part = set_column(part, name, repeated.shared(part[name]))
        parts.append(part)
    rows = pa.concat_tables(parts)
    # In one piece, as they are asked for many times: of the others each part is a piece.
    rows = set_column(rows, "path", in_one_piece(listing.files["path"]))
    return set_column(rows, "key", in_one_piece(rows["key"]))


def _rows(files: pa.Table, known: pa.Table, read: pa.Table, unlabelled: str) -> pa.Table:
    is_image, trouble = files["is_image"], files["trouble"]
    no_image = pc.if_else(pc.is_valid(files["label"]), OTHER_ENDING, unlabelled)
    reason = pc.if_else(
        is_image,
        pc.binary_join_element_wise("cannot be read: ", trouble, ""),
        pc.if_else(pc.equal(trouble, ""), no_image, trouble),
    )
    columns = {
        "path": files["path"],
        "key": pc.coalesce(known["key"], read["key"]),
        "label": files["label"],
        "split": files["split"],
        "status": pc.coalesce(
            known["status"], read["status"], pc.if_else(is_image, "rejected", "ignored")
        ),
        "reason": pc.coalesce(known["reason"], read["reason"], reason),
        **{name: files[name] for name in STAMP},
        "group": files["group"],
        "time": files["time"],
    }
    return with_columns(pa.table(columns))


def _there(previous: Manifest) -> pa.Table:
    """Return the rows of files, without their corrections."""
    there = pc.not_equal(previous.rows["status"], "absent")
    return without_corrections(filtered(previous.rows, there))


def _is_known(there: pa.Table, listed_ns: int, listing: Listing) -> pa.ChunkedArray:
    """Return which files are as rows have them, as of a listing at a time; null without a row."""
    files = listing.files
    # By ctime alone: every write sets it, and it cannot be set to another time.
    settled = pc.less(files["ctime_ns"], listed_ns - CLOCK_TICK_NS)
    no_file = pc.or_kleene(pc.equal(there["status"], "ignored"), pc.not_equal(files["trouble"], ""))
    same = pc.and_kleene(settled, pc.is_valid(there["key"]))
    known = pc.or_kleene(no_file, same)
    for name in STAMP:
        known = pc.and_kleene(known, pc.equal(there[name], files[name]))
    if can_read_heic():
        known = pc.and_kleene(known, pc.not_equal(there["reason"], WITHOUT_HEIC))
    return pc.or_kleene(known, _still_unreadable(there, listing))


def _still_unreadable(there: pa.Table, listing: Listing) -> pa.Array:
    """Return which files could not be read, and cannot be read now."""
    known = np.zeros(len(there), np.bool_)
    unread = pc.and_kleene(pc.equal(there["status"], "rejected"), pc.is_null(there["key"]))
    for n in np.flatnonzero(pc.fill_null(unread, False).to_numpy()).tolist():  # noqa: FBT003
        unchanged = all(there[name][n].equals(listing.files[name][n]) for name in STAMP)
        path = listing.folder / listing.files["path"][n].as_py()
        known[n] = unchanged and not os.access(path, os.R_OK)
    return pa.array(known)
