"""Test evaluation: a run is evaluated on the test split once, and the result is recorded."""

import logging

from stores.errors import CorruptStore
from stores.features.recipe import Recipe
from stores.features.store import FeatureStore
from stores.manifest import Manifest
from stores.runs.record import TestOpening
from stores.runs.store import RunStore
from stores.storage.location import StoreLike
from tasks.datasets.labelled_files import check_labelled
from tasks.errors import InputError
from tasks.evaluation.figures import figures_of
from tasks.execution.steps import task
from tasks.heads.examples import stream_of
from tasks.heads.stored import load_head
from tasks.training.prediction_table import predictions, scores_of

log = logging.getLogger("gargalo.train")


def open_test(
    run: str, manifest: Manifest, recipe: Recipe, *, store: StoreLike, asked_by: str
) -> TestOpening:
    """Return the test evaluation of a run; if there is none yet, evaluate it and record that.

    If the recorded one is damaged, the run is evaluated again, which is logged and recorded. Raises
    InputError if the data set has changed since the training, or has no test image.
    """
    runs = RunStore(store)
    stored = runs.read(run)
    try:
        if openings := runs.openings(stored.id):
            return openings[-1]
    except CorruptStore as error:
        log.warning("%s; the run is evaluated again", error)
    if stored.dataset_digest != manifest.digest:
        raise InputError(
            f"run {stored.id[:16]}: data set {manifest.name!r} has changed since the training; "
            "train again"
        )
    check_testable(manifest)
    images = manifest.select("test")
    features = stream_of(FeatureStore(store, recipe), images.keys)
    scores = scores_of(load_head(runs, stored), features)
    metrics = figures_of(
        scores, images.labels, manifest.target, kind=stored.head["kind"], groups=images.groups
    )
    opening = runs.open_test(
        stored.id,
        asked_by=asked_by,
        metrics={f"test_{name}": value for name, value in metrics.items()},
        predictions=predictions(images, scores, manifest.classes),
    )
    runs.bring_up_to_date()
    return opening


def has_test_images(manifest: Manifest) -> bool:
    """Return whether there are test images, one with a label among them."""
    return any(row["test"] for row in manifest.counts().values())


def check_testable(manifest: Manifest) -> None:
    """Raise InputError if there are no test images, or none with one of several labels."""
    check_labelled(manifest)
    with_label = " has a label" if manifest.split_sizes()["test"] else ""
    if not has_test_images(manifest):
        raise InputError(
            f"data set {manifest.name!r}: no test image{with_label}; add images, or ingest it with "
            "a larger --test-split"
        )


open_test_task = task(name="evaluate test", task_run_name="evaluate test of {run:.16}")(open_test)
