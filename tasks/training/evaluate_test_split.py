"""The test split, opened once for a run, on the record."""

import logging

from stores.errors import CorruptStore
from stores.features.recipe import Recipe
from stores.features.store import FeatureStore
from stores.manifest import Manifest
from stores.runs.record import Run, TestOpening
from stores.runs.store import RunStore
from stores.storage.location import StoreLike
from tasks.errors import InputError
from tasks.evaluation.metrics import metrics_of
from tasks.execution.steps import task
from tasks.heads import TrainedHead
from tasks.heads.examples import stream_of
from tasks.heads.stored import load_stored
from tasks.training.prediction_table import predictions, scores_of

log = logging.getLogger("gargalo.train")


def open_test(
    run: str, manifest: Manifest, recipe: Recipe, *, store: StoreLike, asked_by: str
) -> TestOpening:
    """Evaluate a run on the test split, once: a result that is recorded is returned as it is.

    Where a recorded one is damaged or lost, it is evaluated again, which is logged and recorded.
    Raises InputError where the data set has changed since, or has no test image.
    """
    runs = RunStore(store)
    stored = runs.read(run)
    try:
        if openings := runs.openings(stored.id):
            return openings[-1]
    except CorruptStore as error:
        log.warning("%s; it is evaluated again now", error)
    if stored.dataset_digest != manifest.digest:
        raise InputError(
            f"run {stored.id[:16]}: data set {manifest.name!r} has changed since; train again"
        )
    check_testable(manifest)
    images = manifest.select("test")
    features = stream_of(FeatureStore(store, recipe), images.keys)
    scores = scores_of(load_head(runs, stored), features)
    metrics = metrics_of(scores, images.labels, kind=stored.head["kind"])
    opening = runs.open_test(
        stored.id,
        asked_by=asked_by,
        metrics={f"test_{name}": value for name, value in metrics.items()},
        predictions=predictions(images, ["test"] * len(scores), scores, manifest.classes),
    )
    runs.bring_up_to_date()
    return opening


def load_head(runs: RunStore, run: Run) -> TrainedHead:
    """Return a run's trained head; raises as load_stored."""
    return load_stored(runs.model_folder, run)


def has_test_images(manifest: Manifest) -> bool:
    """Tell whether there is anything to test a classifier on."""
    return any(row["test"] for row in manifest.counts().values())


def check_testable(manifest: Manifest) -> None:
    """Raise InputError where there is nothing to test a classifier on."""
    if not has_test_images(manifest):
        raise InputError(
            f"data set {manifest.name!r} has no test image; add images, or ingest it with another "
            "--test-split"
        )


open_test_task = task(name="open test", task_run_name="open test for {run:.16}")(open_test)
