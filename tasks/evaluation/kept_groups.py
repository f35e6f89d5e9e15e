"""Near-duplicates are kept together: searched in the features, before a head learns from them."""

from dataclasses import dataclass, replace

import pyarrow.compute as pc

from stores.dataset_places import dataset_lock
from stores.dataset_summary import FileReason, GroupCounts
from stores.manifest import Manifest
from stores.storage.location import StoreLike
from tasks.datasets.kept_together import settled, with_near_duplicates
from tasks.evaluation.duplicate_search import find_in_features, groups_of
from tasks.execution.steps import task


@dataclass(frozen=True)
class KeptTogether:
    """The groups that no split divides, with those of near-duplicates, and what is not known."""

    groups: GroupCounts | None  # None: no image has a group
    left_out: tuple[FileReason, ...]  # images of groups that were divided before
    notes: tuple[str, ...]
    searched: bool  # now, as there were new images


def kept_together(manifest: Manifest, *, searched: bool) -> KeptTogether | None:
    """Return how near-duplicates are kept together; None where they need not be."""
    if manifest.keep_together == "none":
        return None
    divided = manifest.of_status("conflicting", columns=("path", "reason"))
    divided = divided.filter(pc.starts_with(divided["reason"], "group "))
    left_out = tuple(FileReason(row["path"], row["reason"]) for row in divided.to_pylist())
    groups, notes = manifest.summary().groups, tuple(manifest.not_together())
    return KeptTogether(groups, left_out, notes, searched)


def keep_near_duplicates(manifest: Manifest, fingerprint: str, *, store: StoreLike) -> Manifest:
    """Return a data set whose near-duplicates are groups, by its features; it is written."""
    found = find_in_features(manifest, fingerprint, store=store)
    searched, untold = manifest.select().keys, "; ".join(found.untold)
    groups = groups_of(found, manifest)
    with dataset_lock(store, manifest.name):
        current = Manifest.read(store, manifest.name)
        if found.searched:
            kept = with_near_duplicates(current, searched, groups, untold=untold)
        else:
            kept = settled(current, untold=untold)
        if kept.untold != current.untold or not kept.rows.equals(current.rows):
            kept.write(store)
    # Of files that another process ingested meanwhile the features may be missing.
    listed = pc.is_in(kept.rows["path"], manifest.rows["path"].combine_chunks())
    return replace(kept, rows=kept.rows.filter(listed))


keep_near_duplicates_task = task(
    name="keep together", task_run_name="keep near-duplicates of {manifest.name} together"
)(keep_near_duplicates)
