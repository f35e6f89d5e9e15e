"""The result of a training, and its publication as a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stores.manifest import Images, Manifest
from stores.runs.record import Run
from stores.runs.store import RunStore
from tasks.datasets.folds import Fold
from tasks.evaluation.metrics import metrics_of
from tasks.heads import Failed
from tasks.training.planned_runs import PlannedRun
from tasks.training.prediction_table import predictions


class Model(Protocol):
    """A trained model."""

    @property
    def history(self) -> Sequence[dict[str, float]]:
        """Return one row per epoch; none for a model without epochs."""

    def save(self, folder: Path) -> None:
        """Write it into an empty folder."""


@dataclass(frozen=True)
class Trained:
    """A trained model, with its scores of each image."""

    model: Model
    scores: NDArray[np.float64]  # (n, classes); of held-out images, by models not trained on them
    train_accuracy: float


def publish(
    runs: RunStore,
    plan: PlannedRun,
    images: Images,
    folds: Sequence[Fold],
    outcome: Trained | Failed,
) -> None:
    """Store a run with its metrics on the folds or the validation split."""
    classes = plan.manifest.classes
    if isinstance(outcome, Failed):
        none = Images(images.keys[:0], images.labels[:0], [])
        nothing = predictions(none, [], np.empty((0, len(classes))), classes)
        run = _run(plan, {}, failure=outcome.reason)
        runs.publish(run, history=[], predictions=nothing, save_model=lambda _: None)
        return
    held_out = np.logical_or.reduce([fold.validation for fold in folds])
    measured = metrics_of(outcome.scores[held_out], images.labels[held_out], kind=plan.head.kind)
    metrics = {f"validation_{name}": value for name, value in measured.items()}
    split_of = {bytes(key): "validation" for key in plan.manifest.select("validation").keys}
    splits = [split_of.get(bytes(key), "train") for key in images.keys]
    runs.publish(
        _run(plan, {"train_accuracy": outcome.train_accuracy} | metrics),
        history=outcome.model.history,
        predictions=predictions(images, splits, outcome.scores, classes),
        save_model=outcome.model.save,
    )


def stored_orientation(manifest: Manifest) -> dict[str, Any]:
    """Return the orientation of a data set as a run's parameter; nothing where it is upright.

    Predictions by the run then use rotated photographs as its training did.
    """
    used = manifest.orientation
    return {} if used == "upright" else {"orientation": used}


def _run(planned: PlannedRun, metrics: dict[str, float], failure: str = "") -> Run:
    packages = ("gargalo", "keras", "tensorflow", "scikit-learn", "numpy")
    return Run(
        dataset=planned.manifest.name,
        dataset_digest=planned.manifest.digest,
        fingerprint=planned.recipe.fingerprint,
        classes=planned.manifest.classes,
        head=planned.specification,
        seed=planned.head_seed,
        metrics=metrics,
        parameters=planned.parameters | stored_orientation(planned.manifest),
        versions={name: version(name) for name in packages},
        created=datetime.now(UTC).isoformat(),
        folds=planned.folds,
        fold_seed=planned.fold_seed,
        failure=failure,
        finetuning=planned.finetuning,
    )
