"""Train: a head on cached features, never on images; and the test split, opened when asked."""

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from prefect import task

from stores.features import FeatureStore
from stores.keys import as_arrow
from stores.manifest import Images, Manifest, Split
from stores.recipe import Recipe
from stores.run import Run, TestOpening, run_id
from stores.runs import RunStore
from tasks.errors import InputError
from tasks.heads import Examples, TrainedHead, trainer_of
from tasks.heads.choices import Head, specification
from tasks.retrying import CACHED, RETRIED


@dataclass(frozen=True)
class PlannedRun:
    """A head that is to be trained on a data set's features, and the run that this will be."""

    manifest: Manifest
    recipe: Recipe
    head: Head
    seed: int
    parameters: dict[str, Any]  # what the user asked for, kept with the run

    @property
    def id(self) -> str:
        """The run's id, known before it is trained."""
        return run_id(
            dataset_digest=self.manifest.digest,
            fingerprint=self.recipe.fingerprint,
            classes=self.manifest.classes,
            head=specification(self.head),
            seed=self.seed,
        )


def train(planned: PlannedRun, *, store: Path) -> str:
    """Train a head, unless that very run is stored, and return the run's id.

    Raises InputError for a data set that cannot train a classifier, MissingFeatures where
    features have yet to be extracted.
    """
    runs = RunStore(store)
    if planned.id in runs:
        return planned.id
    manifest = planned.manifest
    check_trainable(manifest)
    features = FeatureStore(store, planned.recipe)
    splits: tuple[Split, ...] = ("train", "validation")
    images = {split: manifest.select(split) for split in splits}
    examples = {
        split: Examples(features.read(chosen.keys), chosen.labels)
        for split, chosen in images.items()
    }
    trained = trainer_of(planned.head.kind).train(
        planned.head,
        examples["train"],
        examples["validation"],
        classes=len(manifest.classes),
        seed=planned.seed,
    )
    tables, metrics = [], {}
    for split, chosen in images.items():
        scores = trained.scores(examples[split].features)
        tables.append(predictions(split, chosen, scores, manifest.classes))
        metrics[f"{split}_accuracy"] = accuracy(scores, chosen.labels)
    run = _run(planned, metrics)
    runs.publish(
        run,
        history=trained.history,
        predictions=pa.concat_tables(tables),
        save_model=trained.save,
    )
    return run.id


def open_test(
    run: str, manifest: Manifest, recipe: Recipe, *, store: Path, asked_by: str
) -> TestOpening:
    """Evaluate a run on the test split, once: a result that is recorded is returned as it is.

    Raises InputError where the data set has changed since, or has no test image.
    """
    runs = RunStore(store)
    stored = runs.read(run)
    if openings := runs.openings(stored.id):
        return openings[-1]
    if stored.dataset_digest != manifest.digest:
        raise InputError(
            f"run {stored.id[:16]}: data set {manifest.name!r} has changed since; train again"
        )
    images = manifest.select("test")
    if not len(images.labels):
        raise InputError(
            f"data set {manifest.name!r} has no test image; add images, or raise --test-split"
        )
    head = load_head(runs, stored)
    scores = head.scores(FeatureStore(store, recipe).read(images.keys))
    return runs.open_test(
        stored.id,
        asked_by=asked_by,
        metrics={"test_accuracy": accuracy(scores, images.labels)},
        predictions=predictions("test", images, scores, manifest.classes),
    )


def load_head(runs: RunStore, run: Run) -> TrainedHead:
    """Return a run's trained head."""
    return trainer_of(run.head["kind"]).load(runs.model_folder(run.id))


def choose(runs: list[Run]) -> Run:
    """Return the run that is best on validation; of equals, the first."""
    return max(runs, key=lambda run: run.metrics["validation_accuracy"])


def check_trainable(manifest: Manifest) -> None:
    """Raise InputError where a data set's splits cannot train and choose a classifier."""
    if len(manifest.classes) < 2:
        raise InputError(
            f"data set {manifest.name!r} has the one class {manifest.classes[0]!r}; a classifier "
            "needs two: add a folder of other images"
        )
    counts = manifest.counts()
    without = [name for name, row in counts.items() if not row["train"]]
    if without:
        raise InputError(
            f"data set {manifest.name!r}: no training image in class {', '.join(without)}; add "
            "images, or lower --test-split and --validation-split"
        )
    if not any(row["validation"] for row in counts.values()):
        raise InputError(
            f"data set {manifest.name!r} has no validation image to choose a head by; add images, "
            "or raise --validation-split"
        )


def has_test_images(manifest: Manifest) -> bool:
    """Tell whether there is anything to test a classifier on."""
    return any(row["test"] for row in manifest.counts().values())


def predictions(
    split: Split, images: Images, scores: NDArray[np.float64], classes: tuple[str, ...]
) -> pa.Table:
    """Return what a head said of images: key, split, label, predicted, scores (one a class)."""
    names = np.array(classes)
    return pa.table(
        {
            "key": as_arrow(images.keys),
            "split": pa.array([split] * len(images.labels), pa.string()),
            "label": pa.array(names[images.labels].tolist(), pa.string()),
            "predicted": pa.array(names[scores.argmax(axis=1)].tolist(), pa.string()),
            "scores": pa.array(scores.tolist(), pa.list_(pa.float64())),
        }
    )


def accuracy(scores: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Return the share of images whose largest score is their label's."""
    return float((scores.argmax(axis=1) == labels).mean())


def train_cache_key(_context: object, arguments: dict[str, Any]) -> str:
    """Return the key under which Prefect remembers a training: that of its run, and a version."""
    planned: PlannedRun = arguments["planned"]
    return f"gargalo-train-1-{planned.id}"


train_task = task(name="train", cache_key_fn=train_cache_key, **CACHED)(train)
open_test_task = task(name="open test", **RETRIED)(open_test)


def _run(planned: PlannedRun, metrics: dict[str, float]) -> Run:
    packages = ("gargalo", "keras", "tensorflow", "scikit-learn", "numpy")
    return Run(
        dataset=planned.manifest.name,
        dataset_digest=planned.manifest.digest,
        fingerprint=planned.recipe.fingerprint,
        classes=planned.manifest.classes,
        head=specification(planned.head),
        seed=planned.seed,
        metrics=metrics,
        parameters=planned.parameters,
        versions={name: version(name) for name in packages},
        created=datetime.now(UTC).isoformat(),
    )
