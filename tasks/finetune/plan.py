"""The plan of a fine-tuning, from a run and a request; nothing is trained."""

from dataclasses import dataclass, replace

from pydantic import ValidationError

from stores.manifest import Manifest
from stores.runs.record import Run
from stores.runs.store import RunStore
from stores.storage.location import StoreLike
from tasks.backbones.files.backbone import is_from_file, is_graph_file
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
from tasks.finetune.starting_head import check_unchanged, trained_head
from tasks.images.augmentation_names import NO_AUGMENTATION
from tasks.training.planned_runs import PlannedRun
from tasks.training.trainable import check_trainable


@dataclass(frozen=True)
class PlannedFineTuning:
    """A backbone and a head to be trained, and the identity of the run."""

    run: PlannedRun
    start: Run  # the run that the head comes from
    job: Job  # of the head's features, by the initial weights of the backbone
    tuning: FineTuning
    from_cache: bool = False  # train on stored outputs of the frozen part

    @property
    def id(self) -> str:
        """The id of the run, known before training."""
        return self.run.id


def plan_finetuning(
    start: Run, manifest: Manifest, request: Request, *, store: StoreLike, engine: EngineChoice
) -> PlannedFineTuning:
    """Return the fine-tuning of a run, which starts with the run's head.

    Raises InputError if the data set has changed, the head cannot be fine-tuned, a layer is
    unknown, or the request is contradictory.
    """
    check_unchanged(start, manifest)
    check_trainable(manifest)
    job = features_job(start, store=store, weights=request.weights, engine=engine)
    if is_graph_file(job.recipes[0]):
        raise InputError(
            f"run {start.id[:16]}: its backbone, {job.recipes[0].backbone}, is a file for "
            "inference and cannot be fine-tuned; train other heads on its features, or fine-tune "
            "a run of a named backbone"
        )
    if job.recipes[0].compute_precision == "int8":
        raise InputError(
            f"run {start.id[:16]}: its backbone is quantised to int8, which cannot be trained; "
            "extract and train with --precision float32, and fine-tune that run"
        )
    seed = start.seed if request.seed is None else request.seed
    job = _started_from(job, request, seed, store)
    tuning = _specification(request, job, store)
    head = trained_head(RunStore(store), start).head
    parameters = {**start.parameters, "finetuning": dict(request.parameters)}
    decisive = tuning.to_json() | {"started_from": start.id}
    return PlannedFineTuning(
        run=PlannedRun(
            manifest,
            job.recipes[0],
            replace(head, standardize=False) if tuning.untrained_head else head,
            seed,
            parameters,
            finetuning=decisive,
        ),
        start=start,
        job=job,
        tuning=tuning,
        from_cache=request.from_cache,
    )


def _started_from(job: Job, request: Request, seed: int, store: StoreLike) -> Job:
    """Return the job with the requested image size, and with untrained weights for scratch."""
    (recipe,) = job.recipes
    if request.image_size:
        recipe = replace(recipe, image_size=(request.image_size, request.image_size))
    if request.strategy == "scratch" and is_from_file(recipe):
        raise InputError(
            f"--strategy scratch: {recipe.backbone} comes with its weights from a file; use "
            "--strategy full, or a named backbone"
        )
    if request.strategy == "scratch":
        backbone = find_backbone(recipe.backbone)
        drawn = find_weights(backbone, "none", image_size=recipe.image_size, seed=seed, store=store)
        return job_of(replace(recipe, weights=drawn.digest), "none", store=store, engine=job.engine)
    return replace(job, recipes=(recipe,))


def _specification(request: Request, job: Job, store: StoreLike) -> FineTuning:
    if request.strategy == "features":
        raise ValueError("strategy features has no fine-tuning")
    strategy, unfreeze = _unfrozen(request, job, store)
    settings = dict(DEFAULTS[strategy]) | dict(request.settings)
    if strategy == "scratch":
        settings["untrained_head"] = True
    try:
        tuning = FineTuning(strategy=strategy, unfreeze=unfreeze, **settings)
    except ValidationError as error:
        mistakes = (
            f"--{str(mistake['loc'][0]).replace('_', '-')}: {what_is_wrong(dict(mistake))}"
            for mistake in error.errors()
        )
        raise InputError("; ".join(mistakes)) from None
    augments = tuning.augmentation != NO_AUGMENTATION
    if tuning.views and not augments:
        raise InputError(f"--views {tuning.views}: no augmentation; add --augment")
    if request.from_cache and augments and not tuning.views:
        raise InputError(
            "--prefix cached with --augment needs a fixed number of views; add --views N, or use "
            "--prefix images"
        )
    return tuning


def _unfrozen(request: Request, job: Job, store: StoreLike) -> tuple[Strategy, str]:
    """Return the strategy and the first trained layer."""
    strategy, layer, (recipe,) = request.strategy, request.unfreeze, job.recipes
    file = job.weights.path
    if strategy == "top-layers":
        if layer is None:
            names = layer_names(recipe, store, file=file)
            some = names[len(names) * 2 // 3 :: max(1, len(names) // 12)][:4]
            raise InputError(
                f"--strategy top-layers: give the first trained layer of {recipe.backbone} with "
                f"--unfreeze, by name or by number, 0 to {len(names) - 1}; for example, near the "
                f"end, {', '.join(some)}"
            )
        if layer == EVERYTHING:
            return "full", EVERYTHING
        names = layer_names(recipe, store, file=file)
        return strategy, first_trained(layer, names, recipe.backbone)
    implied = NOTHING if strategy == "partial" else EVERYTHING
    if layer not in {None, implied}:
        raise InputError(
            f"--unfreeze {layer}: --strategy {strategy} trains "
            f"{'only the head' if implied == NOTHING else 'all layers'}; use --unfreeze with "
            "--strategy top-layers"
        )
    return strategy, implied
