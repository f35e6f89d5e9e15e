"""The files of a data set with their labels and groups: from class folders, a table, or without."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from stores.manifest import Manifest
from stores.manifest_rows import set_column
from stores.storage.repeated_values import nulls
from stores.targets import MOST_LABELS
from tasks.datasets.folder_layout import AUTO, TABLE, UNLABELLED
from tasks.datasets.folder_listing import Listing, check_folder, list_folder, list_tree
from tasks.datasets.folder_structure import class_folders
from tasks.datasets.groups import given_groups, groups_by_pattern
from tasks.datasets.label_notation import CLASSES, LabelNotation
from tasks.datasets.label_table import LabelRule, kept_table, read_label_table
from tasks.datasets.path_table import PathTable, in_folder
from tasks.datasets.time_splits import times_of
from tasks.datasets.unpack import kept_notes
from tasks.errors import InputError
from tasks.images.image_files import IMAGE_ENDINGS

NO_GROUPS = "none"
NO_LABELS = (
    "no labels: features only; add labels by --labels FILE, or by one folder of images per class "
    "and --layout auto"
)


def list_labelled(
    folder: Path, layout: str | None, rule: LabelRule, previous: Manifest | None
) -> tuple[Listing, str]:
    """Return the files of a folder with their labels and groups, and the requested layout.

    Without a new rule, a data set keeps its layout, its table of labels, and its groups. If no
    labels are needed, a folder without folders is a data set without labels. Raises InputError for
    a folder or a table that is not valid.
    """
    table, notation = read_label_table(rule), rule.notation
    notes = rule.unpacked.notes if rule.unpacked else ()
    labels = table if table and "label" in table.columns else None
    if labels and layout:
        raise InputError(f"--layout {layout}: {labels.file} has the labels; give one of the two")
    requested = TABLE if labels else layout or (previous.layout if previous else AUTO)
    if requested == TABLE and previous and not labels:
        labels, notes = kept_table(previous), kept_notes(previous)
    # A table of labels has some; one of images in a file may have none.
    has_labels = bool((table and not rule.unpacked) or labels or (previous and previous.classes))
    if requested == AUTO and not rule.needed and not has_labels and _is_flat(folder):
        requested = UNLABELLED
    if notation != CLASSES and not labels:
        raise InputError(_without_table(rule, layout, table))
    if requested == UNLABELLED:
        _check_no_labels(None if rule.unpacked else table, previous)
        listing = _unlabelled(folder)
    else:
        listing = _by_table(folder, labels, notation) if labels else list_folder(folder, requested)
    if table and table is not labels and requested != UNLABELLED:
        listing = _with_splits(listing, in_folder(table, listing.files["path"], folder))
    groups = _groups(listing, table, rule, previous)
    files = listing.files.append_column("group", groups)
    files = files.append_column("time", _times(listing, table, previous))
    given = bool(rule.group_pattern or pattern_of(rule, previous))
    keeps_groups = not given and not (table and "group" in table.columns)
    notes = (*notes, *listing.notes)
    return replace(listing, files=files, notes=notes, keeps_groups=keeps_groups), requested


def pattern_of(rule: LabelRule, previous: Manifest | None) -> str:
    """Return the pattern on paths that gives the groups, or an empty text."""
    if rule.group_pattern:
        return "" if rule.group_pattern == NO_GROUPS else rule.group_pattern
    return previous.group_pattern if previous else ""


def check_labelled(manifest: Manifest) -> None:
    """Raise InputError for a data set without labels."""
    if not manifest.classes:
        raise InputError(
            f"data set {manifest.name!r} has no labels: expected some to learn from; ingest its "
            f"folder {manifest.folder} with --labels FILE, a table with the label of each image, "
            "or sort the images into one folder per class and give --layout auto"
        )


def check_of_classes(manifest: Manifest, what: str, *, fix: str) -> None:
    """Raise InputError for a data set whose images have several labels, or a number."""
    if manifest.target != "classes":
        has = LabelNotation.of(manifest).shown
        raise InputError(
            f"{what}: data set {manifest.name!r} has {has}, expected one class per image; {fix}"
        )


def _check_no_labels(table: PathTable | None, previous: Manifest | None) -> None:
    """Raise InputError where a data set without labels would be given splits, or lose its own."""
    if table:
        raise InputError(
            f"{table.file}: no column label, which a folder without classes needs; name it with "
            f"--column label=NAME. Received: {', '.join(table.columns)}"
        )
    if previous and previous.classes:
        raise InputError(
            f"--layout {UNLABELLED}: data set {previous.name!r} has labels and splits, which it "
            "would lose; give a new name with --dataset"
        )


def _without_table(rule: LabelRule, layout: str | None, table: PathTable | None) -> str:
    """Return why images cannot have several labels, or numbers, where no table gives them."""
    shown = rule.notation.shown
    if layout:
        return (
            f"--layout {layout}: the data set has {shown}, which only a table gives; give a new "
            "name with --dataset"
        )
    if table is None:
        return f"{rule.flag()}: only a table gives {shown}; add --labels"
    return (
        f"{table.file}: no column label, which {rule.flag() or shown} needs; name it with "
        f"--column label=NAME. Received: {', '.join(table.columns)}"
    )


def _is_flat(folder: Path) -> bool:
    """Return whether there are no folders that could be classes."""
    check_folder(folder)
    return not class_folders(folder)


def _unlabelled(folder: Path) -> Listing:
    """Return all files below a folder, as images without labels."""
    listing = list_tree(folder, all_images=True)
    if not pc.any(listing.files["is_image"]).as_py():
        raise InputError(
            f"{folder}: no image; expected files that end in {', '.join(IMAGE_ENDINGS)}; found "
            f"{len(listing.files)} files"
        )
    return replace(listing, notes=(NO_LABELS, *listing.notes))


def _by_table(folder: Path, table: PathTable, notation: LabelNotation) -> Listing:
    """Return all files below a folder, with the labels of a table."""
    listing = list_tree(folder)
    files = listing.files
    if table.file:
        rows = in_folder(table, files["path"], folder)
    else:  # kept with the data set: files that are gone are remembered
        rows = table.rows.filter(pc.is_in(table.rows["path"], files["path"].combine_chunks()))
    labels = _looked_up(files, rows, "label")
    place = files.schema.get_field_index
    files = files.set_column(place("label"), "label", labels)
    files = files.set_column(place("is_image"), "is_image", pc.is_valid(labels))
    if not len(rows):
        raise InputError(f"{folder}: none of the files in the table of labels is there any more")
    if not (classes := notation.classes_of(rows["label"])):
        raise InputError(
            f"{table.file or folder}: no image has a label; expected some, with "
            f"{notation.separator!r} between several"
        )
    if notation.target == "labels" and len(classes) > MOST_LABELS:
        raise InputError(
            f"{table.file or folder}: {len(classes):,} different labels, expected at most "
            f"{MOST_LABELS:,}; is {notation.separator!r} what stands between them?"
        )
    layout = replace(listing.layout, classes=classes)
    found = replace(listing, files=files, layout=layout, notation=notation)
    return _with_splits(found, rows)


def _with_splits(listing: Listing, rows: pa.Table) -> Listing:
    files, splits = listing.files, _looked_up(listing.files, rows, "split")
    splits = pc.coalesce(splits, files["split"])
    place = files.schema.get_field_index("split")
    return replace(listing, files=files.set_column(place, "split", splits))


def _groups(
    listing: Listing, table: PathTable | None, rule: LabelRule, previous: Manifest | None
) -> pa.ChunkedArray:
    files = listing.files
    if rule.group_pattern == NO_GROUPS:
        return nulls(len(files), pa.string())
    if table and "group" in table.columns and not rule.group_pattern:
        return _looked_up(files, in_folder(table, files["path"], listing.folder), "group")
    if pattern := pattern_of(rule, previous):
        found = groups_by_pattern(files["path"], pattern)
        if not found.filter(files["is_image"]).drop_null():
            raise InputError(
                f"--group-pattern {pattern!r}: not found in any path, such as "
                f"{files['path'].filter(files['is_image'])[0].as_py()!r}"
            )
        return found
    if previous:
        given = set_column(previous.rows, "group", given_groups(previous.rows, previous))
        return _looked_up(files, given, "group")
    return nulls(len(files), pa.string())


def _times(listing: Listing, table: PathTable | None, previous: Manifest | None) -> pa.ChunkedArray:
    files = listing.files
    if table and "time" in table.columns:
        rows = table.rows
        times = times_of(table.file, rows["path"], rows["time"])
        found = in_folder(table, files["path"], listing.folder)
        known = times.take(
            pc.index_in(found["time"], rows["time"].combine_chunks(), skip_nulls=True)
        )
        return _looked_up(files, found.append_column("number", known), "number")
    if previous:
        return _looked_up(files, previous.rows, "time")
    return nulls(len(files), pa.int64())


def _looked_up(files: pa.Table, rows: pa.Table, name: str) -> pa.ChunkedArray:
    """Return a column of rows for each file, by its path."""
    if rows["path"].equals(files["path"]):
        return rows[name]
    place = pc.index_in(files["path"], rows["path"].combine_chunks())
    return rows[name].take(place)
