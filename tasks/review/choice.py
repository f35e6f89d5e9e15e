"""What is to be reviewed: a data set with the heads that judge its labels."""

from collections.abc import Sequence
from typing import Any

from stores.dataset_places import datasets
from stores.errors import NotInStore
from stores.layout import locate
from stores.manifest import Manifest
from stores.runs.record import Run
from stores.runs.store import RunStore
from stores.storage.location import StoreLike
from tasks.errors import InputError, unknown
from tasks.review.session import Session


def session_of(name: str, runs: Sequence[str], *, store: StoreLike) -> Session:
    """Return the review of a data set, or of that of a run, by further runs too.

    Without a run, the best one judges: of the data set as it is, or as it was last. Raises
    InputError for a name that is neither, and for runs of another data set.
    """
    stored, place = RunStore(store), locate(store)
    if name in datasets(place):
        manifest, judges = Manifest.read(place, name), [stored.read(run) for run in runs]
        if not judges and (best := best_run(stored.table().to_pylist(), manifest)):
            judges = [stored.read(best)]
    else:
        first = _run_named(name, stored, place)
        manifest = Manifest.read(place, first.dataset)
        judges = [first, *(stored.read(run) for run in runs)]
    judges = list({run.id: run for run in judges}.values())
    for run in judges:
        if run.dataset != manifest.name or run.failure:
            what = f"it failed: {run.failure}" if run.failure else f"of data set {run.dataset!r}"
            raise InputError(
                f"run {run.id[:16]}: {what}; expected a run of {manifest.name!r} that has "
                "predictions; see python -m flows.runs list"
            )
    return Session(place, manifest, judges)


def best_run(rows: Sequence[dict[str, Any]], manifest: Manifest) -> str | None:
    """Return the most accurate run of a data set, or None; `rows` are the table of runs.

    Accuracies are only compared among runs of the same images and labels: those of now, or of the
    newest run.
    """
    own = [
        row
        for row in rows
        if row["dataset"] == manifest.name and row.get("validation_accuracy") is not None
    ]
    if not own:
        return None
    there = {row["dataset_digest"] for row in own}
    newest = max(own, key=lambda row: str(row["created"]))["dataset_digest"]
    digest = manifest.digest if manifest.digest in there else newest
    same = [row for row in own if row["dataset_digest"] == digest]
    return str(max(same, key=lambda row: row["validation_accuracy"])["run"])


def _run_named(name: str, stored: RunStore, store: StoreLike) -> Run:
    try:
        return stored.read(name)
    except NotInStore:
        raise unknown("data set or run", name, datasets(store), fix="or the id of a run") from None
