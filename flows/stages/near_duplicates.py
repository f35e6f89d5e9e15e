"""The search for near-duplicates, as a stage of flows: to tell them or keep them together."""

from stores.manifest import Manifest
from stores.runs.store import RunStore
from stores.storage.location import StoreLike
from tasks.datasets.kept_together import awaits_search
from tasks.evaluation.duplicate_search import in_features_task, near_duplicates_task
from tasks.evaluation.kept_groups import (
    KeptTogether,
    keep_near_duplicates_task,
    kept_together,
)
from tasks.evaluation.near_duplicates import NearDuplicates
from tasks.execution.steps import quote


def near_duplicates_stage(manifest: Manifest, run: str, store: StoreLike) -> NearDuplicates:
    """Return the near-duplicates between what a run learned from and what it was measured on."""
    chosen = RunStore(store).read(run)
    found: NearDuplicates = near_duplicates_task(quote(manifest), quote(chosen), store=store)
    return found


def in_features_stage(manifest: Manifest, fingerprint: str, store: StoreLike) -> NearDuplicates:
    """Return the near-duplicates of a data set, before a head has learned from it."""
    found: NearDuplicates = in_features_task(quote(manifest), fingerprint, store=store)
    return found


def keep_together_stage(
    manifest: Manifest, fingerprint: str, store: StoreLike
) -> tuple[Manifest, KeptTogether | None]:
    """Return the data set with its near-duplicates in one split each, where they are to be."""
    searched = awaits_search(manifest)
    if searched:
        manifest = keep_near_duplicates_task(quote(manifest), fingerprint, store=store)
    return manifest, kept_together(manifest, searched=searched)
