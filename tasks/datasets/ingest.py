"""Ingest: create or update the manifest of a folder of images. Only changed files are read."""

import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from prefect.runtime import task_run

from stores.errors import NotInStore
from stores.layout import locate
from stores.manifest import Entry, Manifest, Status, dataset_lock
from stores.orientation import Orientation
from stores.printable import visible
from stores.storage.location import StoreLike
from tasks.datasets.conflicting_copies import leave_out_contradictions
from tasks.datasets.folder_layout import AUTO
from tasks.datasets.folder_listing import ListedFile, Listing, list_folder
from tasks.datasets.folder_structure import KERAS_ENDINGS, is_hidden, is_left_out, is_of_system
from tasks.datasets.split_file import read_split_file
from tasks.datasets.splits import SplitRule, gone, split_entries
from tasks.errors import InputError
from tasks.execution.keras_backend import check_backend
from tasks.execution.steps import task
from tasks.images.image_check import (
    EXAMINATION,
    WITHOUT_HEIC,
    Examined,
    can_read_heic,
    examine,
)

# The resolution of a file system's clock. Files that changed so shortly before the listing are
# read again.
CLOCK_TICK_NS = 20_000_000
NO_ENDING = "not an image's ending; if it is an image, save it as JPEG or PNG"
NO_CLASS = "not in a class folder; move it there if it is an image of a class"
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
    orientation: Orientation | None = None,
    rehash: bool = False,
) -> Ingested:
    """Create or update the manifest of a folder of images.

    `dataset` defaults to the folder's name, `layout` (see `tasks.datasets.folder_layout`) and
    `orientation` to those of the data set. Images keep their splits, unless `rule` has another seed
    or other fractions than the data set. Raises InputError for a folder that is not a valid data
    set, StoreError for a store that cannot be used.
    """
    started_ns = time.time_ns()
    folder = Path(os.path.realpath(folder))
    _check_apart(folder, Path(os.path.realpath(locate(store).path)))
    rule = rule or SplitRule()
    given_by = read_split_file(rule.file) if rule.file else None
    name = dataset or folder.name
    previous = _previous(store, name, folder, chosen=dataset is not None)
    listing = list_folder(folder, requested := _requested(layout, previous))
    used = _orientation(orientation, previous)
    unchanged = previous and not rehash and _unchanged(previous, listing, rule, requested, used)
    if previous and unchanged and (not given_by or given_by.agrees_with(previous)):
        return Ingested(previous, read=0)
    with dataset_lock(store, name):
        previous = _previous(store, name, folder, chosen=dataset is not None)
        if previous and previous.listed_ns > started_ns:  # another process updated it meanwhile
            requested, used = _requested(layout, previous), _orientation(orientation, previous)
            started_ns, listing = time.time_ns(), list_folder(folder, requested)
        known = {} if rehash or not previous else _still_known(previous, listing, used)
        classes = _classes_by_keras(listing)
        examined = _examine_all(listing, known, used)
        found = [_found(file, known, examined) for file in listing.files]
        _check_classes(folder, classes, found := leave_out_contradictions(found))
        resolved = rule.resolved(previous)
        manifest = Manifest(
            name, str(folder), classes, *resolved, started_ns, (), requested, listing.notes
        )
        manifest = replace(manifest, orientation=used, examination=EXAMINATION)
        entries = split_entries(manifest, found, previous, given_by)
        manifest = replace(manifest, entries=(*entries, *gone(previous, entries)))
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
    orientation: Orientation | None = None,
    rehash: bool = False,
) -> int:
    """Return the number of files that `ingest` will read; TensorFlow is not imported."""
    folder = Path(os.path.realpath(folder))
    previous = _previous(store, dataset or folder.name, folder, chosen=dataset is not None)
    listing = list_folder(folder, _requested(layout, previous))
    used = _orientation(orientation, previous)
    known = _still_known(previous, listing, used) if previous and not rehash else {}
    return len(_unread(listing, known))


def _requested(layout: str | None, previous: Manifest | None) -> str:
    return layout or (previous.layout if previous else AUTO)


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


def _unchanged(
    previous: Manifest, listing: Listing, rule: SplitRule, layout: str, used: Orientation
) -> bool:
    """Return whether the listing shows that the manifest is up to date."""
    there = {e.path: e for e in previous.entries if e.status != "absent"}
    known = (previous.folder, previous.classes, previous.layout, previous.notes)
    return (
        known == (str(listing.folder), listing.classes, layout, listing.notes)
        and (previous.examination, previous.orientation) == (EXAMINATION, used)
        and rule.agrees_with(previous)
        and {e.path: e.label for e in there.values()} == {f.path: f.label for f in listing.files}
        and all(_is_known(there[file.path], file, previous, listing) for file in listing.files)
    )


def _still_known(previous: Manifest, listing: Listing, used: Orientation) -> dict[str, Entry]:
    """Return the entries of images that need not be read again, by path."""
    if (previous.examination, previous.orientation) != (EXAMINATION, used):
        return {}
    there = {e.path: e for e in previous.of_status("accepted", "rejected")}
    return {
        file.path: there[file.path]
        for file in listing.files
        if file.is_image
        and file.path in there
        and _is_known(there[file.path], file, previous, listing)
    }


def _is_known(entry: Entry, file: ListedFile, previous: Manifest, listing: Listing) -> bool:
    if entry.stamp != file.stamp:
        return False
    if entry.status == "ignored" or file.trouble:
        return True
    if entry.reason == WITHOUT_HEIC and can_read_heic():
        return False
    if entry.key is None:  # it could not be read; try again if it can be read now
        return not os.access(listing.folder / file.path, os.R_OK)
    # By ctime alone: every write sets it, and it cannot be set to another time.
    return file.ctime_ns < previous.listed_ns - CLOCK_TICK_NS


def _classes_by_keras(listing: Listing) -> tuple[str, ...]:
    """Return the classes that Keras finds; its files have to be those of the listing.

    Keras lists fewer formats; where it finds none in a folder, the listing's classes are returned.
    """
    check_backend()
    if not listing.is_utf8:
        return listing.classes  # sorted as by Keras, which would fail
    from tasks.execution.checked_keras import keras

    found: set[str] = set()
    classes = listing.classes  # sorted as by Keras
    listed = {file.path for file in listing.files if file.is_image and _is_listed_by_keras(file)}
    for top in (listing.folder / top for top in _tops_for_keras(listing, listed)):
        try:
            dataset = keras.utils.image_dataset_from_directory(top, shuffle=False, verbose=False)
        except ValueError as error:
            raise InputError(f"{top}: {error}") from error
        classes = tuple(name for name in dataset.class_names if not is_left_out(name))
        paths = [os.path.relpath(path, listing.folder) for path in dataset.file_paths]
        found |= {path for path in paths if not is_hidden(path) and not _is_of_system(path)}
    if found != listed:
        raise OSError(
            f"{listing.folder}: the files changed while they were listed, for example "
            f"{min(found ^ listed)!r}; run the command again when no other process writes to the "
            "folder"
        )
    return classes


def _is_of_system(path: str) -> bool:
    return is_of_system(path.rpartition("/")[2])


def _is_listed_by_keras(file: ListedFile) -> bool:
    return file.path.lower().endswith(KERAS_ENDINGS)


def _tops_for_keras(listing: Listing, listed: set[str]) -> list[str]:
    """Return the folders of class folders in which Keras finds files; it refuses the others."""
    tops = listing.layout.tops
    return [t for t in tops if any(not t or path.startswith(f"{t}/") for path in listed)]


def _examine_all(
    listing: Listing, known: Mapping[str, Entry], used: Orientation
) -> dict[str, Examined]:
    to_read = [file.path for file in _unread(listing, known)]
    examined: dict[str, Examined] = {}
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(to_read), FILES_AT_ONCE):
            some = to_read[start : start + FILES_AT_ONCE]
            results = pool.map(lambda path: examine(listing.folder / path, used), some)
            examined.update(zip(some, results, strict=True))
    return examined


def _unread(listing: Listing, known: Mapping[str, Entry]) -> list[ListedFile]:
    return [f for f in listing.files if f.is_image and not f.trouble and f.path not in known]


def _found(file: ListedFile, known: Mapping[str, Entry], examined: Mapping[str, Examined]) -> Entry:
    """Return the entry of a file, regardless of its copies."""
    if file.path in known:
        return replace(known[file.path], label=file.label, split=file.split)
    result = examined.get(file.path)
    status: Status
    if not file.is_image:
        status, key = "ignored", None
        no_image = NO_ENDING if file.label else NO_CLASS
        reason = file.trouble or no_image
    elif result is None:
        status, key, reason = "rejected", None, f"cannot be read: {file.trouble}"
    else:
        status, key, reason = result.status, result.key, result.reason
    return Entry(file.path, key, file.label, file.split, status, reason, *file.stamp)


def _check_classes(folder: Path, classes: tuple[str, ...], found: list[Entry]) -> None:
    usable = {entry.label for entry in found if entry.status == "accepted"}
    if empty := [name for name in classes if name not in usable]:
        reasons = [f"{e.path}: {e.reason}" for e in found if e.label in empty and e.reason]
        example = f" (for example, {reasons[0]})" if reasons else ""
        raise InputError(
            f"{folder}: no usable image in class {', '.join(map(repr, empty))}{example}; add "
            "images that can be decoded, or remove the folder"
        )
