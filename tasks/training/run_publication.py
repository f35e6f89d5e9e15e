"""The result of a training, and its publication as a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stores.manifest import Images
from stores.runs.store import RunStore
from stores.targets import MAIN_FIGURE
from tasks.datasets.folds import Fold
from tasks.evaluation.figures import figures_of
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
    train_figure: float | None  # its target's main figure, if there is one


def publish(
    runs: RunStore,
    plan: PlannedRun,
    images: Images,
    folds: Sequence[Fold],
    outcome: Trained | Failed,
) -> None:
    """Store a run with its metrics on the folds or the validation split."""
    classes = plan.manifest.classes
    packages = ("gargalo", "keras", "tensorflow", "scikit-learn", "numpy")
    versions, now = {name: version(name) for name in packages}, datetime.now(UTC).isoformat()
    if isinstance(outcome, Failed):
        none = Images(images.keys[:0], images.labels[:0], images.paths[:0], images.splits[:0])
        nothing = predictions(none, np.empty((0, len(classes))), classes)
        run = plan.record(metrics={}, failure=outcome.reason, versions=versions, created=now)
        runs.publish(run, history=[], predictions=nothing, save_model=lambda _: None)
        return
    held_out = np.logical_or.reduce([fold.validation for fold in folds])
    groups = None if images.groups is None else images.groups[held_out]
    scores, labels = outcome.scores[held_out], images.labels[held_out]
    target, kind = plan.manifest.target, plan.head.kind
    measured = figures_of(scores, labels, target, kind=kind, groups=groups)
    learned = {f"train_{MAIN_FIGURE[target].name}": outcome.train_figure}
    metrics = {name: value for name, value in learned.items() if value is not None}
    metrics |= {f"validation_{name}": value for name, value in measured.items()}
    runs.publish(
        plan.record(metrics=metrics, versions=versions, created=now),
        history=outcome.model.history,
        predictions=predictions(images, outcome.scores, classes),
        save_model=outcome.model.save,
    )
