"""Rejected files: they are marked in the data set's manifest, with the reason."""

from collections.abc import Sequence
from dataclasses import replace

from stores.manifest import Entry, Manifest, dataset_lock
from stores.storage.location import StoreLike
from tasks.datasets.splits import gone
from tasks.errors import InputError
from tasks.execution.steps import task
from tasks.images.pixel_batches import Rejection


def record_rejections(
    manifest: Manifest, rejected: Sequence[Rejection], *, store: StoreLike
) -> Manifest:
    """Mark files as rejected in the data set, and return its manifest.

    If `manifest` is a part of the data set, so is the result.
    """
    if not rejected:
        return manifest
    by_path = {rejection.path: rejection for rejection in rejected}
    keys = {entry.path: entry.key for entry in manifest.of_status("accepted")}
    with dataset_lock(store, manifest.name):
        current = Manifest.read(store, manifest.name)
        entries = tuple(
            _rejected(entry, by_path[entry.path])
            if entry.path in by_path and entry.key == keys.get(entry.path)
            else entry
            for entry in current.entries
        )
        # The split of an image without another copy is remembered.
        updated = replace(current, entries=(*entries, *gone(current, entries)))
        updated.write(store)
    given = {entry.path for entry in manifest.entries}
    kept = tuple(entry for entry in updated.entries if entry.path in given)
    return replace(updated, classes=manifest.classes, entries=kept)


def check_all_there(rejected: Sequence[Rejection]) -> None:
    """Raise InputError for the first rejected file, where every image is required."""
    if rejected:
        first = rejected[0]
        raise InputError(
            f"image {first.path!r} {first.reason}; every image of the data set is required, "
            "unchanged: restore it, or ingest the folder, extract and train again"
        )


record_rejections_task = task(
    name="record rejections", task_run_name="record rejections of {manifest.name}"
)(record_rejections)


def _rejected(entry: Entry, rejection: Rejection) -> Entry:
    # Without a key, the next ingest reads the file again.
    key = None if rejection.changed else entry.key
    return replace(entry, status="rejected", reason=rejection.reason, key=key)
