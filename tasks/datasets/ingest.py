"""Ingest: create or update the manifest of a folder of images. Only changed files are read."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from prefect.runtime import task_run

from stores.errors import NotInStore
from stores.layout import locate
from stores.manifest import Manifest, dataset_lock
from stores.printable import visible
from stores.storage.location import StoreLike
from tasks.datasets.conflicting_copies import leave_out_contradictions
from tasks.datasets.corrections import (
    are_kept,
    corrected,
    read_corrections,
    without_corrections,
)
from tasks.datasets.folder_layout import TABLE
from tasks.datasets.folder_listing import Listing
from tasks.datasets.folder_structure import is_hidden, is_left_out
from tasks.datasets.groups import with_groups
from tasks.datasets.known_files import EXAMINED, is_up_to_date, known_rows, rows_of
from tasks.datasets.label_table import BY_FOLDERS, LabelRule
from tasks.datasets.labelled_files import list_labelled, pattern_of
from tasks.datasets.split_file import read_split_file
from tasks.datasets.splits import SplitRule, gone, split_rows
from tasks.errors import InputError
from tasks.execution.keras_backend import check_backend
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
    rehash: bool = False,
) -> Ingested:
    """Create or update the manifest of a folder of images.

    `dataset` defaults to the folder's name, `layout` (see `tasks.datasets.folder_layout`) to the
    data set's layout. `labels` gives labels by a table, and groups. Images keep their splits,
    unless `rule` has another seed or other fractions than the data set. Raises InputError for a
    folder or a table that is not valid, StoreError for a store that cannot be used.
    """
    started_ns = time.time_ns()
    folder = Path(os.path.realpath(folder))
    _check_apart(folder, Path(os.path.realpath(locate(store).path)))
    rule = rule or SplitRule()
    given_by = read_split_file(rule.file) if rule.file else None
    name = dataset or folder.name
    previous = _previous(store, name, folder, chosen=dataset is not None)
    corrections = read_corrections(labels.corrections)
    listing, requested = list_labelled(folder, layout, labels, previous)
    pattern = pattern_of(labels, previous)
    unchanged = (
        previous
        and not rehash
        and _unchanged(previous, listing, rule, requested, pattern)
        and are_kept(previous, corrections, notes=listing.notes)
    )
    if previous and unchanged and (not given_by or given_by.agrees_with(previous)):
        return Ingested(previous, read=0)
    with dataset_lock(store, name):
        previous = _previous(store, name, folder, chosen=dataset is not None)
        if previous and previous.listed_ns > started_ns:  # another process updated it meanwhile
            started_ns = time.time_ns()
            listing, requested = list_labelled(folder, layout, labels, previous)
        known = _nothing_known(listing) if rehash or not previous else known_rows(previous, listing)
        classes = listing.classes if requested == TABLE else _classes_by_keras(listing)
        examined = _examine_all(listing, known)
        found, notes = corrected(
            rows_of(listing, known, examined), corrections, previous, classes, folder
        )
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
            split_by=split_by,
            examination=EXAMINATION,
        )
        rows = split_rows(manifest, found, previous, given_by)
        if previous and corrections:  # instead of those that there were, of removed images too
            previous = replace(previous, rows=without_corrections(previous.rows))
        manifest = replace(manifest, rows=pa.concat_tables([rows, gone(previous, rows)]))
        manifest.write(store)
    return Ingested(manifest, read=len(examined))


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
    rehash: bool = False,
) -> int:
    """Return the number of files that `ingest` will read; TensorFlow is not imported."""
    folder = Path(os.path.realpath(folder))
    previous = _previous(store, dataset or folder.name, folder, chosen=dataset is not None)
    listing, _ = list_labelled(folder, layout, labels, previous)
    known = known_rows(previous, listing) if previous and not rehash else _nothing_known(listing)
    return len(_unread(listing, known))


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


def _unchanged(
    previous: Manifest, listing: Listing, rule: SplitRule, layout: str, pattern: str
) -> bool:
    """Return whether the listing shows that the manifest is up to date."""
    had = (previous.folder, previous.classes, previous.layout)
    return (
        had == (str(listing.folder), listing.classes, layout)
        and previous.group_pattern == pattern
        and previous.examination == EXAMINATION
        and rule.agrees_with(previous)
        and is_up_to_date(previous, listing)
    )


def _classes_by_keras(listing: Listing) -> tuple[str, ...]:
    """Return the classes that Keras finds; its files have to be those of the listing."""
    check_backend()
    if not listing.is_utf8:
        return listing.classes  # sorted as by Keras, which would fail
    from tasks.execution.checked_keras import keras

    found: set[str] = set()
    classes: tuple[str, ...] = ()
    for top in (listing.folder / top for top in listing.layout.tops):
        try:
            dataset = keras.utils.image_dataset_from_directory(top, shuffle=False, verbose=False)
        except ValueError as error:
            raise InputError(f"{top}: {error}") from error
        classes = tuple(name for name in dataset.class_names if not is_left_out(name))
        paths = [os.path.relpath(path, listing.folder) for path in dataset.file_paths]
        found |= {path for path in paths if not is_hidden(path)}
    listed = set(listing.files["path"].filter(listing.files["is_image"]).to_pylist())
    if found != listed:
        raise OSError(
            f"{listing.folder}: the files changed while they were listed, for example "
            f"{min(found ^ listed)!r}; run the command again when no other process writes to the "
            "folder"
        )
    return classes


def _examine_all(listing: Listing, known: pa.Table) -> pa.Table:
    """Read the files that are not known; the columns are path, key, status and reason."""
    to_read, parts = _unread(listing, known), [EXAMINED.empty_table()]
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(to_read), FILES_AT_ONCE):
            paths = to_read.slice(start, FILES_AT_ONCE).to_pylist()
            results = list(pool.map(lambda path: examine(listing.folder / path), paths))
            columns = zip(*((r.key, r.status, r.reason) for r in results), strict=True)
            parts.append(pa.table([paths, *map(list, columns)], schema=EXAMINED))
    return pa.concat_tables(parts)


def _unread(listing: Listing, known: pa.Table) -> pa.ChunkedArray:
    """Return the paths of the images to read; `known` has a row for each listed file."""
    files = listing.files
    readable = pc.and_(files["is_image"], pc.equal(files["trouble"], ""))
    return files["path"].filter(pc.and_(readable, pc.is_null(known["status"])))


def _nothing_known(listing: Listing) -> pa.Table:
    return pa.table({f.name: pa.nulls(len(listing.files), f.type) for f in EXAMINED})


def _check_classes(folder: Path, classes: tuple[str, ...], rows: pa.Table) -> None:
    usable = set(rows["label"].filter(pc.equal(rows["status"], "accepted")).unique().to_pylist())
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
