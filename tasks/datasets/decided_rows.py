"""Decisions of people on images, as the labels and groups of an ingest's rows."""

from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from stores.decisions.decided import EXCLUDED, Decided
from stores.decisions.journal import Decision
from stores.keys import KEY_BYTES
from stores.manifest import Manifest
from tasks.datasets.groups import joined

_Values = Mapping[bytes, str | None]


def with_decided_labels(
    rows: pa.Table, wanted: pa.ChunkedArray, decided: Decided, *, by_table: bool
) -> pa.ChunkedArray:
    """Return the label that each row is to have, or null, where decisions come before a table's.

    Of an image whose decision was undone it is what was `wanted` by a table that is given now, or
    else what corrected it before the first decision. An excluded image's is the label it has.
    """
    if not decided.labels:
        return wanted
    label = _looked_up(rows, decided.labels)
    before = wanted if by_table else _looked_up(rows, decided.labels_before)
    base = before if by_table else _as_wanted(rows, before)
    found = pc.if_else(pc.is_valid(label), _as_wanted(rows, label), base)
    return pc.if_else(is_among(rows, decided.labels), found, wanted)


def with_decided_groups(
    rows: pa.Table, groups: pa.ChunkedArray, decided: Decided, *, kept: bool
) -> pa.ChunkedArray:
    """Return the group of each row: those that are given, joined by those that were decided.

    `kept`: the given ones are the data set's own, in which earlier decisions are.
    """
    if not decided.groups:
        return groups
    if kept:
        before = _looked_up(rows, decided.groups_before)
        groups = pc.if_else(is_among(rows, decided.groups), before, groups)
    own = _looked_up(rows, decided.groups)
    out = pc.fill_null(pc.equal(own, ""), False)  # noqa: FBT003
    none = pa.scalar(None, pa.string())
    groups, own = (pc.if_else(out, none, column) for column in (groups, own))
    return joined(groups, own)


def with_decided_classes(
    classes: tuple[str, ...], rows: pa.Table, decided: Decided
) -> tuple[str, ...]:
    """Return the classes with those that were made by a decision, and have an image."""
    new = decided.new_labels - set(classes)
    if not new:
        return classes
    used = set(rows["label"].filter(pc.equal(rows["status"], "accepted")).unique().to_pylist())
    return tuple(sorted({*classes, *(new & used)})) if new & used else classes


def all_undone(decided: Decided) -> Decided:
    """Return what holds where no decision does any more."""
    return Decided(
        labels=dict.fromkeys(decided.labels),
        groups=dict.fromkeys(decided.groups),
        groups_before=decided.groups_before,
    )


def bases(
    rows: pa.Table, decided: Decided, *, wanted: pa.ChunkedArray | None, grouped: bool
) -> list[Decision]:
    """Return entries for the journal: what tables that are given now say of decided images.

    It holds again where a decision is undone. `wanted` is what a table of corrections says of each
    row, and None without one; `grouped` tells whether the rows' groups are given now.
    """
    found = []
    if wanted is not None and decided.labels:
        excluded = pc.equal(wanted, rows["label"])
        coded = pc.if_else(pc.fill_null(excluded, False), EXCLUDED, wanted)  # noqa: FBT003
        said = _by_name(rows, coded, decided.labels)
        if said != decided.labels_before:
            found.append(Decision("table", _images(said)))
    if grouped and decided.groups:
        said = _by_name(rows, rows["group"], decided.groups)
        if said != decided.groups_before:
            found.append(Decision("grouping", _images(said)))
    return found


def labels_before(
    manifest: Manifest, keys: Sequence[bytes], decided: Decided
) -> dict[str, tuple[str, ...]]:
    """Return what corrects images that nobody has decided on yet, for a decision on their labels.

    It is known from the manifest as long as no decision was used in it.
    """
    rows = manifest.rows.filter(pc.is_valid(manifest.rows["given_label"]))
    new = [key for key in keys if key not in decided.labels]
    same = pc.equal(rows["given_label"], rows["label"])
    return _images(_by_name(rows, pc.if_else(same, EXCLUDED, rows["label"]), new))


def groups_before(
    manifest: Manifest, keys: Sequence[bytes], decided: Decided
) -> dict[str, tuple[str, ...]]:
    """Return the groups that images had before one was decided, with all images of these groups.

    The whole groups, for they are joined to the one that is decided.
    """
    together = manifest.keep_together != "none"
    column = "given_group" if together else "group"
    grouped = manifest.rows.filter(pc.is_valid(manifest.rows[column]))
    names = grouped[column].filter(is_among(grouped, dict.fromkeys(keys)))
    members = grouped.filter(pc.is_in(grouped[column], names.combine_chunks()))
    there = [key for key in members["key"].to_pylist() if key and key not in decided.groups]
    return _images(_by_name(members, members[column], dict.fromkeys(there)))


def is_among(rows: pa.Table, images: Iterable[bytes]) -> pa.ChunkedArray:
    """Return which rows are of these images."""
    return pc.is_in(rows["key"], _keys(images))


def _as_wanted(rows: pa.Table, label: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return labels as an ingest has them: null for the one it has, and it for an exclusion."""
    excluded = pc.equal(label, EXCLUDED)
    same = pc.equal(label, rows["label"])
    other = pc.if_else(same, pa.scalar(None, pa.string()), label)
    return pc.if_else(excluded, rows["label"], other)


def _looked_up(rows: pa.Table, values: _Values) -> pa.ChunkedArray:
    place = pc.index_in(rows["key"], _keys(values), skip_nulls=True)
    found = pa.array(list(values.values()), pa.string()).take(place.combine_chunks())
    return pa.chunked_array([found])


def _by_name(rows: pa.Table, names: pa.ChunkedArray, among: Iterable[bytes]) -> dict[bytes, str]:
    chosen = pc.and_(is_among(rows, among), pc.is_valid(names))
    keys, found = rows["key"].filter(chosen).to_pylist(), names.filter(chosen).to_pylist()
    return dict(zip(keys, found, strict=True))


def _images(names: Mapping[bytes, str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for key, name in names.items():
        found.setdefault(name, []).append(key.hex())
    return {name: tuple(keys) for name, keys in found.items()}


def _keys(images: Iterable[bytes]) -> pa.Array:
    return pa.array(list(images), pa.binary(KEY_BYTES))
