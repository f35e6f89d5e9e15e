"""Sweep: `python -m flows.sweep DATASET [SWEEP.toml]`.

Command 5: Train many heads on stored features and choose one.

Example:
    >>> gargalo.sweep("photos", head="ridge", grid={"penalty": [1, 10, 100]}).run
"""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from flows.artifacts import log_text, run_name, show_heads
from flows.cli.command_line import command_line
from flows.cli.progress import announce
from flows.orchestration.served_flow import flow
from flows.parameters.heads import SweepParameters
from flows.parameters.seeds import seed_for
from flows.stages.near_duplicates import near_duplicates_stage
from flows.stages.swept import Swept, summary_of_sweep
from flows.summaries.heads import SweepSummary
from flows.text.heads import sweep_text
from flows.train import feature_shape, find_data_set
from stores.features.recipe import Recipe
from stores.manifest import Manifest
from stores.runs.store import RunStore
from stores.storage.location import StoreLike
from stores.targets import Target
from tasks.backbones.files.description import description_path
from tasks.backbones.files.named_files import is_backbone_file
from tasks.datasets.fold_count import check_fold_seed
from tasks.errors import InputError
from tasks.evaluation.costs import costs_of
from tasks.evaluation.duplicate_search import summary_of
from tasks.execution.cancellation import stopped_with_this
from tasks.execution.steps import quote
from tasks.features.accounting import account
from tasks.features.job import make_job
from tasks.features.request import FEATURE_SETTINGS
from tasks.heads.presets import check_taken, flag_of, make_head, settings_of
from tasks.report.write import report_task
from tasks.training.evaluate_test_split import open_test_task
from tasks.training.planned_runs import PlannedRun, choose, head_groups, outcome_of
from tasks.training.repeat_commands import SweepCall
from tasks.training.sweep.search import search_of
from tasks.training.sweep.space import Sweep, Trial, sweep_of
from tasks.training.sweep.toml_file import read_sweep
from tasks.training.train import train_task
from tasks.training.trainable import check_trainable

_FEATURES = tuple(FEATURE_SETTINGS)


@flow(name="sweep", flow_run_name=run_name, threads=2)
def sweep(
    dataset: str,
    file: Path | None = None,
    *,
    parameters: SweepParameters = SweepParameters(),
) -> SweepSummary:
    """Train many heads on cached features, and choose one by validation, or by inner folds.

    Args:
        dataset: Name of a data set whose features were extracted.
        file: TOML file with the heads and the features to try [default: those of --head and
            --grid].
        parameters: The features that are not in the file, and where all is kept.
    """
    parameters.read_through_layers()
    manifest = find_data_set(dataset, parameters)
    costs = costs_of(parameters.cost, manifest.classes, manifest.target)
    space = requested_sweep(file, parameters, manifest.target)
    call = SweepCall(parameters.explicit_values, file.read_bytes() if file else None)
    swept = train_sweep(manifest, space, parameters)
    runs = RunStore(parameters.store)
    trained = [runs.read(run) for run in swept.planned]
    chosen = choose(trained)
    recipe = swept.planned[chosen.id].recipe
    recipes = dict.fromkeys([recipe, *(plan.recipe for plan in swept.planned.values())])
    if parameters.open_test:
        open_test_task(
            chosen.id,
            quote(manifest),
            quote(recipe),
            store=parameters.store,
            asked_by="flows.sweep",
        )
    found = near_duplicates_stage(manifest, chosen.id, parameters.store)
    report = report_task(
        store=parameters.store,
        manifest=quote(manifest),
        extraction=quote(account(manifest, list(recipes), [], store=parameters.store)),
        runs=[run.id for run in trained],
        chosen=chosen.id,
        duplicates=quote(found),
        swept=quote(call),
        costs=costs,
    )
    summary = summary_of_sweep(
        swept,
        trained,
        chosen,
        manifest=manifest,
        near_duplicates=summary_of(found, manifest),
        report=report,
        store=parameters.store,
    )
    show_heads(summary, parameters.store, report=report)
    log_text(sweep_text(summary))
    return summary


def requested_sweep(
    file: Path | None, parameters: SweepParameters, target: Target = "classes"
) -> Sweep:
    """Return the sweep of a file, or else that of `--head` and `--grid`."""
    if file is None:
        heads, grid = parameters.heads_for(target), parameters.axes
        space = sweep_of(heads, grid, features=_FEATURES, target=target, **parameters.search)
        check_taken(heads, parameters.head_settings, target)
        refused: set[str] = set()
    else:
        space = read_sweep(file, features=_FEATURES, target=target, **parameters.search)
        refused = {"head", "grid", *parameters.head_settings}
    refused |= {*space.features, *(name for _, axes in space.heads for name in axes)}
    if parameters.weights == "none" or not all("seed" in axes for _, axes in space.heads):
        refused.discard("seed")  # it is that of the weights, or of the other heads
    if twice := sorted(parameters.explicit_settings & refused):
        flags = ", ".join(map(flag_of, twice))
        raise InputError(f"{flags}: given in {file or '--grid'} too; give it there alone")
    _check_preset(space, parameters)
    return space


def _check_preset(space: Sweep, parameters: SweepParameters) -> None:
    """Raise InputError for a preset, which is for files, where other backbones are named ones."""
    backbones, presets = (
        [str(value) for value in axis] if isinstance(axis, list) else []
        for axis in (
            space.features.get("backbone", [parameters.backbone]),
            space.features.get("preset", [parameters.preset or ""]),
        )
    )
    files = [name for name in backbones if is_backbone_file(name)]
    named = [name for name in backbones if name not in files]
    if files and named and (preset := "".join(presets[:1])):
        place = description_path(Path(files[0]))
        raise InputError(
            f"preset {preset}: it is for a file, as {files[0]}, and {named[0]} has its own "
            f'preprocessing; write preset = "{preset}" into {place}, and give none to the sweep'
        )


def train_sweep(manifest: Manifest, space: Sweep, parameters: SweepParameters) -> Swept:
    """Train each trial's head that was not trained before.

    Raises InputError for a trial that cannot be, before any of those with it is trained.
    """
    check_fold_seed(space.folds, space.fold_seed)
    check_trainable(manifest, space.folds)
    runs, recipe_of = RunStore(parameters.store), cache(partial(_recipe, manifest, parameters))
    planned: dict[str, PlannedRun] = {}
    first: dict[str, PlannedRun] = {}  # of each trial
    cached: set[str] = set()
    seedless: set[str] = set()
    count = 0
    search = search_of(space)
    while trials := search.ask():
        requested = [_plan(manifest, trial, space, parameters, recipe_of) for trial in trials]
        plans = [first.setdefault(plan.trial, plan) for plan in requested]
        both = zip(requested, plans, strict=True)
        seedless |= {plan.head.kind for plan, same in both if plan.head_seed != same.head_seed}
        new = {plan.id: plan for plan in plans if plan.id not in planned}
        count += len(trials)
        cached |= train_missing(new, parameters.store)
        planned |= new
        search.tell([outcome_of(runs.read(plan.id)) for plan in plans])
    return Swept(planned, cached, count, seedless)


def train_missing(planned: dict[str, PlannedRun], store: StoreLike) -> set[str]:
    """Train the heads that were not trained before, side by side; return those that were."""
    runs = RunStore(store)
    cached = {run for run in planned if run in runs}
    missing = [plan for run, plan in planned.items() if run not in cached]
    announce(len(missing), doing="training", noun="heads")
    several = "train a group of {planned[0].head.kind} heads on {planned[0].manifest.name}"
    group_task = train_task.with_options(task_run_name=several)
    with stopped_with_this():
        futures = [
            (group_task if len(group) > 1 else train_task).submit(quote(group), store=store)
            for group in head_groups(missing, store=store)
        ]
        for future in futures:
            future.result()
    return cached


def _plan(
    manifest: Manifest,
    trial: Trial,
    space: Sweep,
    parameters: SweepParameters,
    recipe_of: Callable[[tuple[tuple[str, Any], ...]], Recipe],
) -> PlannedRun:
    mine = settings_of(trial.kind)
    given = {n: v for n, v in parameters.head_settings.items() if n in mine}
    settings = {**given, **trial.settings}
    classes, target = len(manifest.classes), manifest.target
    head = make_head(trial.kind, settings, classes=classes, target=target)
    general = seed_for(parameters.seed, manifest)  # of weights, and of heads without their own
    head_seed = general if trial.head_seed is None else trial.head_seed
    folds = {"folds": space.folds, "fold_seed": space.fold_seed}
    requested = {"head": trial.kind, "seed": head_seed, **folds, "open_test": False, **settings}
    if "batch_size" in requested:
        requested["head_batch_size"] = requested.pop("batch_size")
    features = parameters.features(trial.features)
    of_features: dict[str, Any] = features.model_dump(mode="json", exclude_none=True)
    if of_features["weights"] == "none" and trial.head_seed is not None:
        # Untrained weights have a seed as well: both are set by a sweep of one.
        requested |= {"seed": general, "grid": [f"seed={head_seed}"]}
    return PlannedRun(
        manifest,
        recipe_of(tuple(trial.features.items())),
        head,
        head_seed,
        of_features | requested,
        folds=space.folds,
        fold_seed=space.fold_seed,
    )


def _recipe(
    manifest: Manifest, parameters: SweepParameters, values: tuple[tuple[str, Any], ...]
) -> Recipe:
    """Return the recipe of features that are stored; raises InputError where they are not."""
    features = parameters.features(dict(values))
    seed = seed_for(parameters.seed, manifest)
    request = features.request(weights_seed=seed, dataset=manifest.name)
    (recipe,) = make_job(request, store=parameters.store, engine="auto").recipes
    feature_shape(recipe, manifest, features)
    return recipe


if __name__ == "__main__":
    command_line(sweep, sweep_text)
