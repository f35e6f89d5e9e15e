"""Rejected files: they are marked in the data set's manifest, with the reason."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from stores.dataset_places import dataset_lock
from stores.manifest import Manifest
from stores.manifest_rows import only_where, replaced_reasons, set_column
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
    with dataset_lock(store, manifest.name):
        current = Manifest.read(store, manifest.name)
        # A file that was ingested again meanwhile is another one.
        same = _keys(current, by_path).items() & _keys(manifest, by_path).items()
        by_path = {path: by_path[path] for path, _ in same}
        reasons = {path: rejection.reason for path, rejection in by_path.items()}
        rows = replaced_reasons(current.rows, reasons, status="rejected")
        # Without a key, the next ingest reads the file again.
        changed = [path for path, rejection in by_path.items() if rejection.changed]
        there = pc.not_equal(rows["status"], "absent")
        lost = pc.and_(there, pc.is_in(rows["path"], pa.array(changed, pa.string())))
        rows = set_column(rows, "key", only_where(pc.invert(lost), rows["key"]))
        # The split of an image without another copy is remembered.
        updated = replace(current, rows=pa.concat_tables([rows, gone(current, rows)]))
        updated.write(store)
    given = pc.is_in(updated.rows["path"], manifest.rows["path"].combine_chunks())
    return replace(updated, classes=manifest.classes, rows=updated.rows.filter(given))


def _keys(manifest: Manifest, paths: Collection[str]) -> dict[str, bytes]:
    """Return the keys of the accepted files of some paths."""
    accepted = manifest.of_status("accepted")
    rows = accepted.filter(pc.is_in(accepted["path"], pa.array(list(paths), pa.string())))
    return dict(zip(rows["path"].to_pylist(), rows["key"].to_pylist(), strict=True))


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
