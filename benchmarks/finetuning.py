"""Fine-tuning from what the frozen layers made of the images once, beside the same from images."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import count
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.ours import Setting, extract, in_two_threads
from benchmarks.timing import Contender, Finding, in_turn, ratios
from stores.manifest import Manifest
from stores.runs.store import RunStore
from tasks.datasets.folds import LEARNED_FROM, folds_of
from tasks.execution.steps import without_prefect
from tasks.features.extract import compute_needed
from tasks.finetune.frozen_features import prefix_job
from tasks.finetune.plan import PlannedFineTuning, plan_finetuning
from tasks.finetune.specification import Request
from tasks.finetune.train import parts_of, planned_learner
from tasks.heads.presets import make_head
from tasks.training.planned_runs import PlannedRun
from tasks.training.train import train

if TYPE_CHECKING:
    from tasks.finetune.loop import Learner

GROUP = "Fine-tuning"


def frozen_prefix(
    setting: Setting, *, unfreeze: str, expected: str, rounds: int
) -> Iterator[Finding]:
    """Measure epochs, validation included, once the first is over, in which graphs are made.

    What the frozen layers alone take is the most that can be spared.
    """
    manifest = setting.ingest()
    planned = _planned(setting, manifest, unfreeze)
    kept = replace(planned, from_cache=True)
    with without_prefect():
        compute_needed(manifest, prefix_job(planned), splits=LEARNED_FROM, shards=in_two_threads)
    learners = {
        name: planned_learner(plan, setting.store)
        for name, plan in (("images", planned), ("cached", kept))
    }
    contenders = {
        name: Contender(partial(next, _epochs(learner, manifest)))
        for name, learner in learners.items()
    }
    contenders["frozen"] = Contender(_frozen_layers(learners["images"]))
    in_turn(contenders, rounds=1)
    seconds = in_turn(contenders, rounds=rounds)
    images = len(manifest.select(*LEARNED_FROM).keys)
    recipe = planned.run.recipe
    about = f"{recipe.backbone} at {recipe.image_size[0]} from {unfreeze}, {images} images"
    told = f"{images / median(seconds['images']):.3g} images/s become "
    told += f"{images / median(seconds['cached']):.3g}"
    gain = ratios(seconds["images"], seconds["cached"])
    yield Finding(GROUP, f"{about}: epochs a second by --prefix cached", gain, "×", expected, told)
    most = [(f + c) / c for f, c in zip(seconds["frozen"], seconds["cached"], strict=True)]
    share = ratios(list(gain), most)
    told = "the limit: the frozen layers' forward pass alone is spared"
    yield Finding(GROUP, f"{about}: of the limit", share, "", "≥ 0.95", told)


def _planned(setting: Setting, manifest: Manifest, unfreeze: str) -> PlannedFineTuning:
    extract(setting, manifest)
    (recipe,) = setting.job.recipes
    head = make_head("dense", {"epochs": 1}, classes=len(manifest.classes))
    parameters = {"weights": setting.request.weights}
    (run,) = train([PlannedRun(manifest, recipe, head, 0, parameters)], store=setting.store)
    request = Request("top-layers", unfreeze)
    start = RunStore(setting.store).read(run)
    return plan_finetuning(start, manifest, request, store=setting.store, engine=setting.engine)


def _epochs(learner: "Learner", manifest: Manifest) -> Iterator[dict[str, float]]:
    """Learn, an epoch at each call."""
    (fold,) = folds_of(manifest, 0)
    parts = parts_of(fold, learner.tuning)
    learner.compile()
    for epoch in count():
        yield learner.epoch(epoch, parts)


def _frozen_layers(learner: "Learner") -> Callable[[], None]:
    """Return what computes the frozen layers of all images, which are in memory."""
    import keras

    base, cut = learner.network.base, learner.network.cut
    assert cut is not None
    frozen = keras.Model(base.input, base.get_layer(cut.tap).output)
    places = np.arange(len(learner.labels))
    batches = [rows for _, rows in learner.examples.measured(places)]

    def compute() -> None:
        for rows in batches:
            frozen.predict_on_batch(rows)

    return compute
