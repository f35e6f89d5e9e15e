"""Fine-tune a run's head and its backbone on the images of its data set."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stores.features.store import FeatureStore
from stores.runs.checkpoints import Checkpoints, History
from stores.runs.store import RunStore
from stores.storage.location import StoreLike
from stores.storage.publish import check_writable
from tasks.datasets.folds import LEARNED_FROM, Fold, folds_of
from tasks.evaluation.metrics import accuracy
from tasks.execution.cancellation import stop_if_requested
from tasks.execution.keras_backend import check_backend
from tasks.execution.steps import shown_as_cached, task
from tasks.finetune.batches import CachedExamples, Examples, ImageExamples, Parts
from tasks.finetune.plan import PlannedFineTuning
from tasks.finetune.specification import FineTuning
from tasks.finetune.starting_head import trained_head
from tasks.heads import Failed
from tasks.heads.dense.specification import DenseHead
from tasks.training.run_publication import Trained, publish

if TYPE_CHECKING:
    from tasks.finetune.loop import Learner
    from tasks.finetune.network import Network


@dataclass(frozen=True)
class _FineTuned:
    """A trained network, with a history that begins with the epochs of its head."""

    network: "Network"
    plan: PlannedFineTuning
    history: History

    def save(self, folder: Path) -> None:
        """Write it into an empty folder."""
        from tasks.finetune.saved import save

        save(self.network, self.plan.run.recipe, folder)


def finetune(planned: PlannedFineTuning, *, store: StoreLike) -> str:
    """Train a backbone and a head, unless the run is stored; return its id.

    An interrupted fine-tuning is resumed after its last complete epoch. One that diverges is stored
    as a run with the reason. Raises InputError if an image has changed.
    """
    stop_if_requested()
    runs = RunStore(store)
    if planned.id in runs:
        return planned.id
    check_backend()
    from tasks.finetune.loop import Diverged

    manifest = planned.run.manifest
    images, folds = manifest.select(*LEARNED_FROM), folds_of(manifest, 0)
    train, parts = np.flatnonzero(folds[0].train), parts_of(folds[0], planned.tuning)
    checkpoints = Checkpoints(store, planned.id)
    check_writable(checkpoints.folder)  # before the first epoch, and not after it
    learner = planned_learner(planned, store)
    outcome: Trained | Failed
    try:
        history = learner.learn(parts, checkpoints)
    except Diverged as error:
        outcome = Failed(str(error))
    else:
        scores = learner.scores(np.arange(len(images.keys)))
        before = runs.history(planned.start.id).drop(["epoch"]).to_pylist()
        own = accuracy(scores[train], images.labels[train])
        outcome = Trained(_FineTuned(learner.network, planned, [*before, *history]), scores, own)
    publish(runs, planned.run, images, folds, outcome)
    checkpoints.discard()
    runs.bring_up_to_date()
    return planned.id


def is_stored(planned: PlannedFineTuning, *, store: StoreLike) -> bool:
    """Return whether the run is stored."""
    return planned.id in RunStore(store)


def parts_of(fold: Fold, tuning: FineTuning) -> Parts:
    """Return the examples of a fine-tuning for training, validation and early stopping."""
    stops = tuning.patience is not None
    learned = fold.learned(stops=stops)
    return Parts(
        learned=np.flatnonzero(learned),
        validation=np.flatnonzero(fold.validation),
        stopping=np.flatnonzero(fold.train & ~learned),
    )


finetune_task = task(
    name="finetune",
    task_run_name="fine-tune {planned.start.id:.16}, {planned.tuning.strategy}",
)(shown_as_cached(finetune, if_stored=is_stored))


def planned_network(planned: PlannedFineTuning, store: StoreLike) -> "Network":
    """Return the initial network of a plan; TensorFlow is imported."""
    from tasks.finetune.network import build_network

    head = planned.run.head
    assert isinstance(head, DenseHead)
    trained = None
    if not planned.tuning.untrained_head:
        trained = trained_head(RunStore(store), planned.start).weights
    return build_network(
        planned.run.recipe,
        planned.job.weights,
        head,
        planned.tuning,
        classes=len(planned.run.manifest.classes),
        seed=planned.run.head_seed,
        trained=trained,
    )


def planned_learner(planned: PlannedFineTuning, store: StoreLike) -> "Learner":
    """Return the initial network of a plan, with its training data and settings."""
    from tasks.finetune.frozen_features import prefix_recipe
    from tasks.finetune.loop import Learner

    plan, tuning, network = planned.run, planned.tuning, planned_network(planned, store)
    images = plan.manifest.select(*LEARNED_FROM)
    examples: Examples
    if planned.from_cache:
        features = FeatureStore(store, prefix_recipe(plan.recipe, network.cut, tuning))
        examples = CachedExamples(images, features, tuning, plan.head_seed)
    else:
        folder = Path(plan.manifest.folder)
        examples = ImageExamples(images, folder, plan.recipe, tuning, plan.head_seed)
    return Learner(
        network,
        network.rest if planned.from_cache else network.whole,
        tuning,
        examples,
        images.labels,
        len(plan.manifest.classes),
        plan.head_seed,
    )
