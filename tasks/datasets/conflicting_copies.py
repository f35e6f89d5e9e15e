"""Copies of an image with conflicting labels or splits: reported, and not used."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from stores.keys import from_arrow, is_repeated
from stores.manifest_rows import filtered, replaced_reasons

# Held-out images stay held out: the copy nearest to the test split is kept.
_HELD_OUT_FIRST = ("test", "validation", "train", None)


def leave_out_contradictions(rows: pa.Table) -> pa.Table:
    """Return the rows, with conflicting copies of an image marked `conflicting`.

    If copies have different labels, none of them is used. If their folders are of different splits,
    only the copies in the split nearest to the test split are used.
    """
    columns = rows.select(["key", "path", "label", "split"])
    accepted = filtered(columns, pc.equal(rows["status"], "accepted"))
    accepted = accepted.filter(pa.array(is_repeated(from_arrow(accepted["key"]))))
    all_splits = pc.CountOptions(mode="all")
    kinds = accepted.select(["key", "label"]).append_column(
        "split", pc.fill_null(accepted["split"], "")
    )
    kinds = kinds.group_by("key").aggregate(
        [("label", "count_distinct", all_splits), ("split", "count_distinct", all_splits)]
    )
    several = pc.or_(
        pc.greater(kinds["label_count_distinct"], 1), pc.greater(kinds["split_count_distinct"], 1)
    )
    contradictory = kinds["key"].filter(several)
    if not len(contradictory):
        return rows
    copies = accepted.filter(pc.is_in(accepted["key"], contradictory.combine_chunks()))
    listed = copies.sort_by("key").to_pylist()
    reasons = dict(
        reason
        for _, group in groupby(listed, key=lambda copy: copy["key"])
        for reason in _reasons(list(group))
    )
    return replaced_reasons(rows, reasons, status="conflicting")


def _reasons(group: Sequence[Mapping[str, Any]]) -> Iterable[tuple[str, str]]:
    """Yield (path, reason) for each copy that is left out."""
    if len({copy["label"] for copy in group}) > 1:
        for copy in group:
            other = next(twin for twin in group if twin["label"] != copy["label"])
            yield copy["path"], f"the same bytes as {other['path']!r}, under another label"
        return
    kept = min(group, key=lambda copy: _HELD_OUT_FIRST.index(copy["split"]))
    for copy in group:
        if copy["split"] != kept["split"]:
            yield (
                copy["path"],
                f"the same bytes as {kept['path']!r}: left out of {copy['split']}",
            )
