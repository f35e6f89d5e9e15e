"""A data set, a head on its features, and fine-tunings that start there."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stores.features.store import FeatureStore
from stores.manifest import Manifest
from stores.runs.record import Run
from stores.runs.store import RunStore
from tasks.datasets.folds import LEARNED_FROM
from tasks.execution.steps import without_prefect
from tasks.features.engines import Job
from tasks.features.extract import compute_needed
from tasks.finetune.frozen_features import prefix_job
from tasks.finetune.plan import plan_finetuning
from tasks.finetune.specification import Request
from tasks.finetune.train import finetune
from tasks.heads.presets import make_head
from tasks.training.planned_runs import PlannedRun
from tasks.training.train import train
from tests.support.extraction import extract, one_by_one, write_old_folder


@dataclass(frozen=True)
class Started:
    """A run that fine-tuning starts from, with its data set."""

    run: Run
    manifest: Manifest
    job: Job
    store: Path

    def plan(self, strategy="top-layers", unfreeze=..., **asked):
        if unfreeze is ...:
            unfreeze = "gates" if strategy == "top-layers" else None
        return plan_finetuning(
            self.run,
            self.manifest,
            request(strategy, unfreeze, **asked),
            store=self.store,
            engine="keras",
        )

    def tune(self, *arguments, **asked):
        return RunStore(self.store).read(finetune(self.plan(*arguments, **asked), store=self.store))

    def images(self):
        """Return the paths of the images that it was measured and learned on, by key."""
        images = self.manifest.select("train", "validation")
        folder = Path(self.manifest.folder)
        return {
            bytes(k): folder / p for k, p in zip(images.keys, images.paths.to_pylist(), strict=True)
        }


def request(strategy, unfreeze=None, **asked):
    own = {name: asked.pop(name, None) for name in ("seed", "image_size", "weights")}
    from_cache = asked.pop("from_cache", False)
    settings = {"epochs": 3, "batch_size": 4, "learning_rate": 1e-2} | asked
    return Request(strategy, unfreeze, settings, from_cache=from_cache, parameters=asked, **own)


def start(folder, store, kind="dense", *, folds=0, pooling="avg", **settings):
    """Extract features of 20 images of two classes by the tiny backbone, and train a head."""
    done = extract(write_old_folder(folder), store, pooling=pooling)
    head = make_head(kind, settings, classes=2)
    (recipe,) = done.job.recipes
    asked = {"weights": "none", "backbone": "tiny", "head": kind}
    (run,) = train([PlannedRun(done.manifest, recipe, head, 0, asked, folds)], store=store)
    return Started(RunStore(store).read(run), done.manifest, done.job, store)


def backbone_of(run, store):
    """Return the arrays of a fine-tuned run's backbone."""
    import h5py

    path = RunStore(store).model_folder(run.id) / "backbone.weights.h5"
    arrays = {}
    with h5py.File(path, "r") as file:
        file.visititems(
            lambda name, item: (
                arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
            )
        )
    return arrays


def untouched_features(started):
    """Return the features of all images by the weights that fine-tuning starts with."""
    keys = started.manifest.select("train", "validation").keys
    return np.asarray(FeatureStore(started.store, started.job.recipes[0]).read(keys))


def compute_prefix(started, planned):
    """Compute what a plan learns from; return how many rows."""
    which = {"splits": LEARNED_FROM, "views": planned.tuning.views}
    with without_prefect():
        done = compute_needed(started.manifest, prefix_job(planned), shards=one_by_one, **which)
    return sum(shard.computed for shard in done.shards)


def forget(run, store):
    """Delete a run from its store."""
    shutil.rmtree(RunStore(store).folder / run.id[:16])
    assert run.id not in RunStore(store)
