"""Near-duplicates that no split divides: groups beside those that are given.

Near-duplicates are known by features, which come after the splits. So an image that nothing has
learned from has an open split until it was searched: then it is drawn again, with its group.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stores.dataset_summary import KeepTogether
from stores.keys import Keys, as_arrow
from stores.manifest import Manifest
from stores.manifest_rows import only_where, places_of, set_column
from tasks.datasets.groups import joined
from tasks.datasets.splits import split_rows
from tasks.errors import InputError

_NAME = "near-duplicate images "  # and a number; not as the groups in a table of the report's


def awaits_search(manifest: Manifest) -> bool:
    """Return whether near-duplicates are to be kept together, and those of an image not known."""
    if manifest.keep_together == "none":
        return False
    return bool(manifest.of_status("accepted", columns=("near_group",))["near_group"].null_count)


def check_settled(manifest: Manifest) -> None:
    """Raise InputError where an image's split awaits the search for its near-duplicates."""
    waiting = manifest.of_status("accepted", columns=("open_split",))["open_split"]
    if count := pc.sum(waiting).as_py():
        raise InputError(
            f"data set {manifest.name!r} keeps near-duplicates together, and those of {count:,} "
            f"images are not searched yet; run python -m flows.extract {manifest.name!r} first"
        )


def with_known_groups(rows: pa.Table, previous: Manifest | None, keep: KeepTogether) -> pa.Table:
    """Return an ingest's rows, whose groups are the given ones, with their near-duplicates too."""
    if keep == "none":
        return rows
    near = pa.chunked_array([pa.nulls(len(rows), pa.string())])
    if previous and previous.keep_together == keep:
        near = previous.rows["near_group"].take(places_of(rows["key"], previous.rows["key"]))
    rows = set_column(rows, "given_group", rows["group"])
    rows = set_column(rows, "given_split", rows["split"])
    rows = set_column(rows, "near_group", near)
    return set_column(rows, "group", joined(rows["given_group"], _named(near)))


def with_near_duplicates(
    manifest: Manifest, searched: Keys, groups: Mapping[bytes, str], *, untold: str = ""
) -> Manifest:
    """Return a data set whose searched images are in the groups of their near-duplicates.

    `groups` are by key. A group that was known before stays, and grows. Open splits are drawn
    again; other images never move, so that a group may be divided: then it is used on one side.
    """
    rows = manifest.rows
    place = places_of(rows["key"], pa.chunked_array([as_arrow(searched)]))
    named = _numbered(searched, groups, after=rows["near_group"])
    found = pa.chunked_array([named.take(place)])
    near = joined(_named(rows["near_group"]), found)
    alone = pc.if_else(pc.is_valid(place), "", rows["near_group"])
    rows = set_column(rows, "near_group", pc.coalesce(near, alone))
    absent = pc.equal(rows["status"], "absent")
    there = rows.filter(pc.invert(absent))
    group = joined(there["given_group"], _named(there["near_group"]))
    there = set_column(set_column(there, "group", group), "split", there["given_split"])
    there = split_rows(manifest, there, manifest)
    return replace(manifest, rows=pa.concat_tables([there, rows.filter(absent)]), untold=untold)


def settled(manifest: Manifest, *, untold: str) -> Manifest:
    """Return a data set whose images stay where they are, as they could not be searched."""
    stays = pa.array(np.zeros(len(manifest.rows), np.bool_))
    return replace(manifest, rows=set_column(manifest.rows, "open_split", stays), untold=untold)


def _named(near: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return groups of near-duplicates without those of a lone image."""
    return only_where(pc.not_equal(near, ""), near)


def _numbered(searched: Keys, groups: Mapping[bytes, str], *, after: pa.ChunkedArray) -> pa.Array:
    """Return the group of each searched image, by a number that no group had before; null: none."""
    known = (name.removeprefix(_NAME) for name in after.unique().to_pylist() if name)
    last = max((int(number) for number in known if number.isdecimal()), default=0)
    numbers = enumerate(dict.fromkeys(groups.values()), last + 1)
    names = {group: f"{_NAME}{number}" for number, group in numbers}
    own = (groups.get(key.tobytes(), "") for key in searched)
    return pa.array([names.get(group) for group in own], pa.string())
