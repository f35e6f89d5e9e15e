"""Ingest: create or update the manifest of a folder of images. Only changed files are read."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa

from stores.dataset_places import dataset_lock
from stores.decisions.journal import Decision, Journal
from stores.keys import ImageKey, Keys
from stores.manifest import Manifest
from stores.orientation import Orientation
from stores.storage.location import StoreLike
from tasks.datasets.corrections import are_kept
from tasks.datasets.decided_rows import with_decided_classes
from tasks.datasets.folder_layout import TABLE, UNLABELLED
from tasks.datasets.folder_listing import Listing
from tasks.datasets.keras_listing import classes_by_keras
from tasks.datasets.known_files import (
    EXAMINED,
    ReadAhead,
    examined_table,
    is_unread,
    is_up_to_date,
    rows_of,
    with_read_ahead,
)
from tasks.datasets.label_table import BY_FOLDERS, LabelRule
from tasks.datasets.made_dataset import Rules, keys_of_none, made_dataset, to_remember
from tasks.datasets.seen_folder import IngestRequest, Seen, see
from tasks.datasets.splits import AS_BEFORE, SplitRule, are_as_given
from tasks.execution.freed_memory import give_back
from tasks.execution.steps import task
from tasks.images.image_check import EXAMINATION, examine, read_whole

T = TypeVar("T")
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
    rule: SplitRule = AS_BEFORE,
    layout: str | None = None,
    labels: LabelRule = BY_FOLDERS,
    orientation: Orientation | None = None,
    rehash: bool = False,
) -> Ingested:
    """Create or update the manifest of a folder of images.

    `dataset` defaults to the folder's name, `layout` (see `tasks.datasets.folder_layout`) and
    `orientation` to those of the data set. `labels` gives labels by a table, and groups; images
    that it holds itself are unpacked into the folder first. Images keep their splits, unless `rule`
    has another seed or other fractions than the data set. Raises InputError for a folder or a table
    that is not valid, StoreError for a store that cannot be used.
    """
    return ingest_as(
        IngestRequest(
            folder=folder,
            store=store,
            dataset=dataset,
            rule=rule,
            layout=layout,
            labels=labels,
            orientation=orientation,
            rehash=rehash,
        )
    )


def ingest_as(
    request: IngestRequest, *, seen: Seen | None = None, ahead: ReadAhead | None = None
) -> Ingested:
    """Create or update a manifest as `ingest` does.

    `seen` is what `see` returned a moment ago, for the case that nothing has changed. Files that
    were read `ahead`, and have not changed since, are not read again.
    """
    rules, listed = Rules.of(request), seen or see(request)
    rules = rules.of_seen(listed)
    rules.check_splittable(listed.layout)
    if listed.previous and _is_kept(listed.previous, listed, rules):
        return Ingested(listed.previous, read=0)
    with dataset_lock(request.store, request.name):
        previous = request.previous()
        if seen or (previous and previous.listed_ns > listed.started_ns):
            listed = see(request)  # what was seen before is not up to date, nor after a retry
        else:
            listed = replace(listed, previous=previous)
        rules = rules.of_seen(listed)  # if another process made the data set meanwhile
        known, taken = listed.known(), 0
        if ahead and ahead.orientation == listed.orientation:
            known, taken = with_read_ahead(known, ahead, listed.listing)
        by_keras = listed.layout not in {TABLE, UNLABELLED}
        classes = classes_by_keras(listed.listing) if by_keras else listed.listing.classes
        examined = _examine_all(listed.listing, known, listed.orientation)
        rows, read = rows_of(listed.listing, known, examined), taken + len(examined)
        del known, examined  # as large as the rows that are made of them
        give_back()
        journal = Journal(request.store, request.name)
        for decision in to_remember(listed, rules, rows):
            journal.add(decision)
        manifest = made_dataset(listed, rules, classes, rows)
        del listed, rows
        give_back()  # its file is made in memory
        manifest.write(request.store)
        if rules.resets:  # afterwards: before that, groups are known by the decisions on them
            journal.add(Decision("reset"))
    return Ingested(manifest, read)


ingest_task = task(name="ingest", task_run_name="ingest {request.shown}")(ingest_as)


def read_keys(seen: Seen) -> Keys:
    """Return the keys of the files to be read, (n, 32); one that cannot be read has none's."""
    paths = seen.unread()["path"]
    keys, start = keys_of_none(len(paths)), 0
    for some, found in _results(paths, lambda path: _key_in(seen, path)):
        for n, key in enumerate(found, start):
            if key:
                keys[n] = np.frombuffer(key, np.uint8)
        start += len(some)
    return keys


read_keys_task = task(name="read keys", task_run_name="read keys of {seen.request.shown}")(
    read_keys
)


def _is_kept(previous: Manifest, seen: Seen, rules: Rules) -> bool:
    """Return whether a data set is as it is asked for, so that nothing is to be done."""
    unchanged = (
        not seen.request.rehash
        and not rules.resets
        and previous.group_pattern == seen.group_pattern
        and previous.orientation == seen.orientation
        and previous.keep_together == rules.split.kept_together(previous)
        and _unchanged(previous, seen.listing, rules, seen.layout)
        and are_kept(previous, rules.corrections, rules.decided, notes=seen.listing.notes)
    )
    if unchanged and seen.request.labels.file:
        unchanged = are_as_given(previous, seen.listing.files)
    return unchanged and (not rules.given_by or rules.given_by.agrees_with(previous))


def _unchanged(previous: Manifest, listing: Listing, rules: Rules, layout: str) -> bool:
    """Return whether the listing shows that the manifest is up to date."""
    had = (previous.folder, previous.classes, previous.layout)
    classes = with_decided_classes(listing.classes, previous.rows, rules.decided)
    return (
        had == (str(listing.folder), classes, layout)
        and previous.examination == EXAMINATION
        and rules.split.agrees_with(previous)
        and is_up_to_date(previous, listing, rules.decided)
    )


def _examine_all(listing: Listing, known: pa.Table, used: Orientation) -> pa.Table:
    """Read the files that are not known; the columns are path, key, status and reason."""
    to_read = listing.files["path"].filter(is_unread(listing, known))
    parts = [EXAMINED.empty_table()]
    for paths, found in _results(to_read, lambda path: examine(listing.folder / path, used)):
        parts.append(examined_table(paths, found))
    return pa.concat_tables(parts)


def _key_in(seen: Seen, path: str) -> ImageKey | None:
    """Return the key of a file; its content goes at once."""
    return read_whole(seen.listing.folder / path, seen.orientation).key


def _results(
    paths: pa.ChunkedArray, work: Callable[[str], T]
) -> Iterator[tuple[list[str], list[T]]]:
    """Yield some paths at once, and what `work` gives for each; threads do it."""
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(paths), FILES_AT_ONCE):
            some = paths.slice(start, FILES_AT_ONCE).to_pylist()
            yield some, list(pool.map(work, some))
