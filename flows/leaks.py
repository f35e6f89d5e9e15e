"""The search for near-duplicates, as a stage of the flows that show how heads did."""

from pathlib import Path

from prefect.utilities.annotations import quote

from stores.manifest import Manifest
from stores.runs import RunStore
from tasks.leaks import near_duplicates_task
from tasks.near_duplicates import NearDuplicates


def leaks_stage(manifest: Manifest, run: str, store: Path) -> NearDuplicates:
    """Return the near-duplicates between what a run learned from and what measured it."""
    chosen = RunStore(store).read(run)
    found: NearDuplicates = near_duplicates_task(
        quote(manifest), fingerprint=chosen.fingerprint, folds=chosen.folds, store=store
    )
    return found
