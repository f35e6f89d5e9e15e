"""Ingest: create or update the manifest of a folder of images. Only changed files are read."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from prefect.runtime import task_run

from stores.errors import NotInStore
from stores.layout import locate
from stores.manifest import Manifest, dataset_lock
from stores.orientation import Orientation
from stores.printable import visible
from stores.storage.location import StoreLike
from stores.storage.repeated_values import nulls
from tasks.datasets.conflicting_copies import leave_out_contradictions
from tasks.datasets.corrections import (
    are_kept,
    corrected,
    read_corrections,
    without_corrections,
)
from tasks.datasets.folder_layout import TABLE, UNLABELLED
from tasks.datasets.folder_listing import Listing
from tasks.datasets.groups import with_groups
from tasks.datasets.keras_listing import classes_by_keras
from tasks.datasets.known_files import EXAMINED, is_up_to_date, known_rows, rows_of
from tasks.datasets.label_table import BY_FOLDERS, LabelRule
from tasks.datasets.labelled_files import list_labelled, pattern_of
from tasks.datasets.split_file import read_split_file
from tasks.datasets.splits import SplitRule, are_as_given, gone, split_rows
from tasks.errors import InputError
from tasks.execution.freed_memory import give_back
from tasks.execution.steps import task
from tasks.images.image_check import EXAMINATION, examine

# Files in the queue of the threads; each takes kilobytes.
FILES_AT_ONCE = 1024


@dataclass(frozen=True)
class Ingested:
    """A data set's manifest, and the number of files that were read for it."""

    manifest: Manifest
    read: int


def ingest(
    folder: Path,
    *,
    store: StoreLike,
    dataset: str | None = None,
    rule: SplitRule | None = None,
    layout: str | None = None,
    labels: LabelRule = BY_FOLDERS,
    orientation: Orientation | None = None,
    rehash: bool = False,
) -> Ingested:
    """Create or update the manifest of a folder of images.

    `dataset` defaults to the folder's name, `layout` (see `tasks.datasets.folder_layout`) and
    `orientation` to those of the data set. `labels` gives labels by a table, and groups. Images
    keep their splits, unless `rule` has another seed or other fractions than the data set. Raises
    InputError for a folder or a table that is not valid, StoreError for a store that cannot be
    used.
    """
    started_ns = time.time_ns()
    folder = Path(os.path.realpath(folder))
    _check_apart(folder, Path(os.path.realpath(locate(store).path)))
    rule = rule or SplitRule()
    given_by = read_split_file(rule.file) if rule.file else None
    name = dataset or folder.name
    previous = _previous(store, name, folder, chosen=dataset is not None)
    corrections = read_corrections(labels.corrections)
    listed = partial(list_labelled, folder, layout, labels)
    listing, requested = listed(previous)
    if requested == UNLABELLED and given_by:
        raise InputError(f"{given_by.file}: a data set without labels has no splits; add --labels")
    pattern, used = pattern_of(labels, previous), _orientation(orientation, previous)
    unchanged = (
        previous
        and not rehash
        and previous.group_pattern == pattern
        and previous.orientation == used
        and _unchanged(previous, listing, rule, requested)
        and are_kept(previous, corrections, notes=listing.notes)
    )
    if previous and unchanged and labels.file:
        unchanged = are_as_given(previous, listing.files)
    if previous and unchanged and (not given_by or given_by.agrees_with(previous)):
        return Ingested(previous, read=0)
    with dataset_lock(store, name):
        previous = _previous(store, name, folder, chosen=dataset is not None)
        if previous and previous.listed_ns > started_ns:  # another process updated it meanwhile
            started_ns = time.time_ns()
            listing, requested = listed(previous)
        same = previous if previous and previous.orientation == used and not rehash else None
        known = known_rows(same, listing) if same else _nothing_known(listing)
        by_keras = requested not in {TABLE, UNLABELLED}
        classes = classes_by_keras(listing) if by_keras else listing.classes
        examined = _examine_all(listing, known, used)
        found, read = rows_of(listing, known, examined), len(examined)
        del known, examined  # as large as the rows that are made of them
        give_back()
        found, notes = corrected(found, corrections, previous, classes, folder)
        found = leave_out_contradictions(found)
        found = with_groups(found, found["group"])
        _check_classes(folder, classes, found)
        seed, test, validation, split_by = rule.resolved(previous)
        manifest = Manifest(
            name,
            str(folder),
            classes,
            seed,
            test,
            validation,
            listed_ns=started_ns,
            rows=found,
            layout=requested,
            notes=(*listing.notes, *notes),
            group_pattern=pattern,
            orientation=used,
            split_by=split_by,
            examination=EXAMINATION,
        )
        rows = split_rows(manifest, found, previous, given_by) if classes else found
        if previous and corrections:  # instead of those that there were, of removed images too
            previous = replace(previous, rows=without_corrections(previous.rows))
        manifest = replace(manifest, rows=pa.concat_tables([rows, gone(previous, rows)]))
        manifest.write(store)
    return Ingested(manifest, read)


def _ingesting() -> str:
    return visible(f"ingest {task_run.parameters['folder']}")


ingest_task = task(name="ingest", task_run_name=_ingesting)(ingest)


def count_unread(
    folder: Path,
    *,
    store: StoreLike,
    dataset: str | None = None,
    layout: str | None = None,
    labels: LabelRule = BY_FOLDERS,
    orientation: Orientation | None = None,
    rehash: bool = False,
) -> int:
    """Return the number of files that `ingest` will read; TensorFlow is not imported."""
    folder = Path(os.path.realpath(folder))
    previous = _previous(store, dataset or folder.name, folder, chosen=dataset is not None)
    listing, _ = list_labelled(folder, layout, labels, previous)
    turned = previous and previous.orientation != _orientation(orientation, previous)
    same = None if rehash or turned else previous
    known = known_rows(same, listing) if same else _nothing_known(listing)
    return len(_unread(listing, known))


def _orientation(given: Orientation | None, previous: Manifest | None) -> Orientation:
    return given or (previous.orientation if previous else "upright")


def _check_apart(folder: Path, store: Path) -> None:
    below = store.relative_to(folder).parts if store.is_relative_to(folder) else (".elsewhere",)
    if not below or not below[0].startswith("."):  # a folder with a leading dot is not a class
        raise InputError(
            f"{store}: the store is inside the folder of images {folder}, and would be read as a "
            "class; give another --store"
        )


def _previous(store: StoreLike, name: str, folder: Path, *, chosen: bool) -> Manifest | None:
    try:
        previous = Manifest.read(store, name)
    except NotInStore:
        if visible(name) != name:
            raise InputError(
                f"{name!a}: the name of a data set cannot have control characters; give another "
                "--dataset"
            ) from None
        return None
    if previous.folder != str(folder) and not chosen:
        raise InputError(
            f"{folder}: the data set {name!r} belongs to another folder, {previous.folder}; give a "
            f"new name with --dataset, or --dataset {name!r} if the folder was moved"
        )
    return previous


def _unchanged(previous: Manifest, listing: Listing, rule: SplitRule, layout: str) -> bool:
    """Return whether the listing shows that the manifest is up to date."""
    had = (previous.folder, previous.classes, previous.layout)
    return (
        had == (str(listing.folder), listing.classes, layout)
        and previous.examination == EXAMINATION
        and rule.agrees_with(previous)
        and is_up_to_date(previous, listing)
    )


def _examine_all(listing: Listing, known: pa.Table, used: Orientation) -> pa.Table:
    """Read the files that are not known; the columns are path, key, status and reason."""
    to_read, parts = _unread(listing, known), [EXAMINED.empty_table()]
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(to_read), FILES_AT_ONCE):
            paths = to_read.slice(start, FILES_AT_ONCE).to_pylist()
            results = list(pool.map(lambda path: examine(listing.folder / path, used), paths))
            columns = zip(*((r.key, r.status, r.reason) for r in results), strict=True)
            parts.append(pa.table([paths, *map(list, columns)], schema=EXAMINED))
    return pa.concat_tables(parts)


def _unread(listing: Listing, known: pa.Table) -> pa.ChunkedArray:
    """Return the paths of the images to read; `known` has a row for each listed file."""
    files = listing.files
    readable = pc.and_(files["is_image"], pc.equal(files["trouble"], ""))
    return files["path"].filter(pc.and_(readable, pc.is_null(known["status"])))


def _nothing_known(listing: Listing) -> pa.Table:
    return pa.table({field.name: nulls(len(listing.files), field.type) for field in EXAMINED})


def _check_classes(folder: Path, classes: tuple[str, ...], rows: pa.Table) -> None:
    accepted = pc.equal(rows["status"], "accepted")
    if not classes and not pc.any(accepted).as_py():
        bad = rows.filter(pc.equal(rows["status"], "rejected"))
        raise InputError(
            f"{folder}: no usable image (for example, {bad['path'][0]}: {bad['reason'][0]}); add "
            "images that can be decoded"
        )
    usable = set(rows["label"].filter(accepted).unique().to_pylist())
    if empty := [name for name in classes if name not in usable]:
        bad = rows.filter(pc.is_in(rows["label"], pa.array(empty)))
        reasons = [f"{bad['path'][0]}: {bad['reason'][0]}"] if len(bad) else []
        example = f" (for example, {reasons[0]})" if reasons else ""
        if rows["given_label"].null_count < len(rows):
            example += ", after corrections of labels"
        raise InputError(
            f"{folder}: no usable image in class {', '.join(map(repr, empty))}{example}; add "
            "images that can be decoded, or remove the folder"
        )
