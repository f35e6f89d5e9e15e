"""Groups: images of one patient, animal, burst or video, which are never in two splits."""

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stores.manifest import SPLITS, Manifest
from stores.manifest_rows import replaced_reasons, set_column
from tasks.errors import InputError

_MOST_PATTERN = 500  # characters


def check_pattern(pattern: str) -> str:
    """Return a pattern with one group; raises InputError if it is not valid.

    It is matched by RE2, so that no pattern takes long.
    """
    reason = ""
    if len(pattern) > _MOST_PATTERN:
        reason = f"more than {_MOST_PATTERN} characters"
    else:
        try:
            if (count := re.compile(pattern).groups) != 1:
                reason = f"{count} groups in parentheses"
            else:
                pc.extract_regex(pa.array([""]), _named(pattern))
        except (re.error, ValueError, RecursionError) as error:  # Arrow's are ValueErrors
            reason = str(error).split("\n", 1)[0]
    if reason:
        raise InputError(
            f"{pattern[:80]!r}: {reason}; give a regular expression whose only "
            r"parentheses are around the group's name, as 'animal(\d+)_'"
        )
    return pattern


def groups_by_pattern(paths: pa.ChunkedArray, pattern: str) -> pa.ChunkedArray:
    """Return the group of each path: what the pattern finds in it, or null."""
    check_pattern(pattern)
    return pc.struct_field(pc.extract_regex(paths, _named(pattern)), "group")


def _named(pattern: str) -> str:
    """Return the pattern with its one group named, as Arrow requires."""
    places = re.finditer(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(", pattern)
    starts = [match.start() for match in places if match[0] == "("]
    plain = [at for at in starts if pattern[at + 1 : at + 2] != "?"]
    if not plain:
        raise ValueError("a group that has a name of its own")
    at = plain[0]
    return f"{pattern[:at]}(?P<group>{pattern[at + 1 :]}"


def with_groups(rows: pa.Table, groups: pa.ChunkedArray) -> pa.Table:
    """Return rows with their groups; groups that share an image are one, named by the first.

    A file that occurs in two groups, byte by byte, would otherwise be on both sides of a split.
    """
    rows = set_column(rows, "group", groups)
    grouped = rows.select(["key", "group"]).filter(
        pc.and_(pc.is_valid(rows["key"]), pc.is_valid(rows["group"]))
    )
    if not len(grouped):
        return rows
    names = grouped["group"].combine_chunks().dictionary_encode()
    keys = grouped["key"].combine_chunks().dictionary_encode()
    first = _linked(
        keys.indices.to_numpy(),
        names.indices.to_numpy(),
        len(keys.dictionary),
        len(names.dictionary),
    )
    name = names.dictionary.take(pa.array(first))
    place = pc.index_in(rows["group"], names.dictionary, skip_nulls=True)
    own = name.take(place.combine_chunks())
    # A copy without a group of its own is of its twin's.
    of_key = name.take(pa.array(_first_place(keys.indices.to_numpy(), names.indices.to_numpy())))
    twin = of_key.take(pc.index_in(rows["key"], keys.dictionary, skip_nulls=True).combine_chunks())
    return set_column(rows, "group", pa.chunked_array([pc.coalesce(own, twin)]))


def given_groups(rows: pa.Table, manifest: Manifest) -> pa.ChunkedArray:
    """Return the groups that a table or a pattern gave a manifest's rows, without others."""
    return rows["group" if manifest.keep_together == "none" else "given_group"]


def joined(groups: pa.ChunkedArray, others: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the group of each row, where groups of two kinds that share a row are one.

    It is named by the first of `groups` that it has, or else as it is among `others`.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    encoded = [column.combine_chunks().dictionary_encode() for column in (groups, others)]
    first, second = (np.asarray(pc.fill_null(one.indices, -1)) for one in encoded)
    names = pa.concat_arrays([one.dictionary for one in encoded])
    if not len(names):
        return groups
    second = np.where(second < 0, -1, second + len(encoded[0].dictionary))
    both = (first >= 0) & (second >= 0)
    links = (np.ones(int(both.sum()), np.bool_), (first[both], second[both]))
    _, parts = connected_components(coo_array(links, (len(names), len(names))), directed=False)
    _, leading, which = np.unique(parts, return_index=True, return_inverse=True)
    own = np.where(first >= 0, first, second)
    place = pa.array(leading[which][own], mask=own < 0)
    return pa.chunked_array([names.take(place)])


def leave_out_divided(rows: pa.Table) -> pa.Table:
    """Return rows where no group is in two splits: images in the less held-out ones are left out.

    Groups are divided where folders, a table or an earlier split divide them. The split nearest to
    test keeps its images, as for copies.
    """
    used = pc.and_(pc.equal(rows["status"], "accepted"), pc.is_valid(rows["group"]))
    images = rows.select(["path", "group", "split"]).filter(used)
    codes = pc.index_in(images["split"], pa.array(SPLITS))
    found = images.append_column("code", codes).group_by("group").aggregate([("code", "min_max")])
    kept = pc.struct_field(found["code_min_max"], "max")
    divided = pc.not_equal(pc.struct_field(found["code_min_max"], "min"), kept)
    if not pc.any(divided).as_py():
        return rows
    names = found["group"].combine_chunks()
    nearest = kept.take(pc.index_in(images["group"], names))
    out = images.append_column("kept", nearest).filter(pc.not_equal(codes, nearest)).to_pylist()
    reasons = {
        row["path"]: f"group {row['group']!r} is in {SPLITS[row['kept']]} too: left out of "
        f"{row['split']}; another --seed splits it anew"
        for row in out
    }
    return replaced_reasons(rows, reasons, status="conflicting")


def _linked(
    keys: NDArray[np.integer[Any]],
    groups: NDArray[np.integer[Any]],
    key_count: int,
    group_count: int,
) -> NDArray[np.integer[Any]]:
    """Return for each group the first of those that it is linked to by shared images."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    size = group_count + key_count
    links = coo_array((np.ones(len(keys), np.int8), (groups, group_count + keys)), (size, size))
    _, parts = connected_components(links, directed=False)
    _, first, which = np.unique(parts[:group_count], return_index=True, return_inverse=True)
    return first[which]


def _first_place(
    keys: NDArray[np.integer[Any]], groups: NDArray[np.integer[Any]]
) -> NDArray[np.integer[Any]]:
    """Return the group of the first row of each key."""
    _, first = np.unique(keys, return_index=True)
    return groups[first]
