"""The search for near-duplicates, as a stage of the flows that show how heads did."""

from stores.manifest import Manifest
from stores.runs.store import RunStore
from stores.storage.location import StoreLike
from tasks.evaluation.duplicate_search import in_features_task, near_duplicates_task
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
