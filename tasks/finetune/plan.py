"""From a run and what is asked of it to the fine-tuning that is planned; nothing is trained."""

from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from stores.manifest import Manifest
from stores.runs.record import Run
from stores.runs.store import RunStore
from tasks.backbones.registry import find_backbone
from tasks.backbones.weights import find_weights
from tasks.errors import InputError, what_is_wrong
from tasks.features.engines import Job
from tasks.features.job import job_of
from tasks.features.request import EngineChoice
from tasks.finetune.layers import first_trained, layer_names
from tasks.finetune.saved import features_job
from tasks.finetune.specification import (
    DEFAULTS,
    EVERYTHING,
    NOTHING,
    FineTuning,
    Request,
    Strategy,
)
from tasks.finetune.starting_head import check_unchanged, trained_head, untrained
from tasks.images.augmentation_names import NO_AUGMENTATION
from tasks.training.planned_runs import PlannedRun, check_trainable


@dataclass(frozen=True)
class PlannedFineTuning:
    """A backbone and a head that are to be trained together, and the run that this will be."""

    run: PlannedRun
    start: Run  # whose head it is
    job: Job  # of the features that the head takes, by the weights that the backbone starts with
    tuning: FineTuning
    from_cache: bool = False  # learn from the frozen part's features: the same, up to rounding

    @property
    def id(self) -> str:
        """The run's id, known before it is trained."""
        return self.run.id


def plan_finetuning(
    start: Run, manifest: Manifest, request: Request, *, store: Path, engine: EngineChoice
) -> PlannedFineTuning:
    """Return the fine-tuning of a run, whose head it starts with.

    Raises InputError where the data set has changed, the head cannot learn on, a layer is unknown,
    or what is asked for contradicts itself.
    """
    check_unchanged(start, manifest)
    check_trainable(manifest)
    job = features_job(start, store=store, weights=request.weights, engine=engine)
    seed = start.seed if request.seed is None else request.seed
    job = _started_from(job, request, seed, store)
    tuning = _specification(request, job, store)
    head = trained_head(RunStore(store), start).head
    asked = {**start.parameters, "finetuning": dict(request.parameters)}
    decisive = tuning.to_json() | {"started_from": start.id}
    return PlannedFineTuning(
        run=PlannedRun(
            manifest,
            job.recipes[0],
            untrained(head) if tuning.untrained_head else head,
            seed,
            asked,
            finetuning=decisive,
        ),
        start=start,
        job=job,
        tuning=tuning,
        from_cache=request.from_cache,
    )


def _started_from(job: Job, request: Request, seed: int, store: Path) -> Job:
    """Return the job with the size that is asked for, and from scratch with untrained weights."""
    (recipe,) = job.recipes
    if request.image_size:
        recipe = replace(recipe, image_size=(request.image_size, request.image_size))
    if request.strategy == "scratch":
        backbone = find_backbone(recipe.backbone)
        drawn = find_weights(backbone, "none", image_size=recipe.image_size, seed=seed, store=store)
        return job_of(replace(recipe, weights=drawn.digest), "none", store=store, engine=job.engine)
    return replace(job, recipes=(recipe,))


def _specification(request: Request, job: Job, store: Path) -> FineTuning:
    if request.strategy == "features":
        raise ValueError("features: nothing is fine-tuned")
    strategy, unfreeze = _unfrozen(request, job, store)
    said = dict(DEFAULTS[strategy]) | dict(request.settings)
    if strategy == "scratch":
        said["untrained_head"] = True
    try:
        tuning = FineTuning(strategy=strategy, unfreeze=unfreeze, **said)
    except ValidationError as error:
        mistakes = (
            f"--{str(mistake['loc'][0]).replace('_', '-')}: {what_is_wrong(dict(mistake))}"
            for mistake in error.errors()
        )
        raise InputError("; ".join(mistakes)) from None
    augments = tuning.augmentation != NO_AUGMENTATION
    if tuning.views and not augments:
        raise InputError(f"--views {tuning.views}: of what? say it with --augment")
    if request.from_cache and augments and not tuning.views:
        raise InputError(
            "--prefix cached keeps fixed views of an image: say how many with --views, or use "
            "--prefix images, where each epoch draws anew"
        )
    return tuning


def _unfrozen(request: Request, job: Job, store: Path) -> tuple[Strategy, str]:
    """Return the strategy and the first layer that is trained."""
    strategy, asked, (recipe,) = request.strategy, request.unfreeze, job.recipes
    if strategy == "top-layers":
        if asked is None:
            names = layer_names(recipe, store)
            some = names[len(names) * 2 // 3 :: max(1, len(names) // 12)][:4]
            raise InputError(
                f"--strategy top-layers: say from which layer of {recipe.backbone} on, with "
                f"--unfreeze LAYER or its number, 0 to {len(names) - 1}; near the end there are "
                f"{', '.join(some)}"
            )
        if asked == EVERYTHING:
            return "full", EVERYTHING
        return strategy, first_trained(asked, layer_names(recipe, store), recipe.backbone)
    meant = NOTHING if strategy == "partial" else EVERYTHING
    if asked not in {None, meant}:
        raise InputError(
            f"--unfreeze {asked}: --strategy {strategy} trains "
            f"{'the head alone' if meant == NOTHING else 'all layers'}; it is for top-layers"
        )
    return strategy, meant
