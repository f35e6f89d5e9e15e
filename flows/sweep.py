"""Sweep: `python -m flows.sweep DATASET [SWEEP.toml]`."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from prefect.task_runners import ThreadPoolTaskRunner

from flows.artifacts import log_told, run_name, show_heads
from flows.cli.command_line import Summary, command_line
from flows.cli.progress import announce
from flows.extract import account
from flows.orchestration.served_flow import flow
from flows.parameters.features import FeatureParameters
from flows.parameters.heads import SweepParameters
from flows.stages.arguments import quote
from flows.stages.near_duplicates import leaks_stage
from flows.stages.swept import Swept, summary_of_sweep
from flows.text.heads import tell_sweep
from flows.train import feature_shape, find_data_set
from stores.features.recipe import Recipe
from stores.manifest import Manifest
from stores.runs.store import RunStore
from tasks.datasets.fold_count import check_fold_seed
from tasks.errors import InputError
from tasks.evaluation.duplicate_search import summary_of
from tasks.execution.cancellation import stopped_with_this
from tasks.features.job import make_job
from tasks.heads.presets import flag_of, make_head, settings_of
from tasks.report.write import report_task
from tasks.training.evaluate_test_split import open_test_task
from tasks.training.planned_runs import PlannedRun, check_trainable, choose, head_groups
from tasks.training.repeat_commands import SweepCall
from tasks.training.sweep.search import search_of
from tasks.training.sweep.space import Sweep, Trial, sweep_of
from tasks.training.sweep.toml_file import read_sweep
from tasks.training.train import train_task

_FEATURES = tuple(n for n in FeatureParameters.model_fields if n not in {"store", "read_through"})


@flow(name="sweep", flow_run_name=run_name, task_runner=ThreadPoolTaskRunner(max_workers=2))
def sweep(
    dataset: str,
    file: Path | None = None,
    *,
    parameters: SweepParameters = SweepParameters(),
) -> Summary:
    """Train many heads on cached features, and choose one by validation, or by inner folds.

    Args:
        dataset: Name of a data set whose features were extracted.
        file: TOML file that says which heads on which features; without it, --head and --grid do.
        parameters: The features that the file does not say, and where all is kept.
    """
    parameters.read_through_layers()
    manifest = find_data_set(dataset, parameters)
    asked = asked_sweep(file, parameters)
    call = SweepCall(parameters.explicit_values, file.read_bytes() if file else None)
    swept = train_sweep(manifest, asked, parameters)
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
    found = leaks_stage(manifest, chosen.id, parameters.store)
    report = report_task(
        store=parameters.store,
        manifest=quote(manifest),
        extraction=quote(account(manifest, list(recipes), [], store=parameters.store)),
        runs=[run.id for run in trained],
        chosen=chosen.id,
        survey=True,
        duplicates=quote(found),
        swept=quote(call),
    )
    summary = summary_of_sweep(runs, manifest, swept, trained, chosen) | {
        "near_duplicates": summary_of(found, manifest),
        "report": str(report),
    }
    selection, ids = summary["selection"], [run.id for run in trained]
    show_heads(parameters.store, ids, chosen.id, selection=selection, report=report)
    log_told(tell_sweep(summary))
    return summary


def asked_sweep(file: Path | None, parameters: SweepParameters) -> Sweep:
    """Return the sweep of a file, or else that of `--head` and `--grid`."""
    if file is None:
        heads, grid = parameters.head, parameters.axes
        asked = sweep_of(heads, grid, features=_FEATURES, **parameters.search)
        refused: set[str] = set()
    else:
        asked = read_sweep(file, features=_FEATURES, **parameters.search)
        refused = {"head", "grid", *parameters.head_settings}
    refused |= {*asked.features, *(name for _, axes in asked.heads for name in axes)}
    if parameters.weights == "none" or not all("seed" in axes for _, axes in asked.heads):
        refused.discard("seed")  # it is that of the weights, or of the other heads
    if twice := sorted(parameters.explicit_settings & refused):
        flags = ", ".join(map(flag_of, twice))
        raise InputError(f"{flags}: {file or '--grid'} says what is tried; say it there alone")
    return asked


def train_sweep(manifest: Manifest, space: Sweep, parameters: SweepParameters) -> Swept:
    """Train each trial's head that was not trained before.

    Raises InputError for a trial that cannot be, before any of those with it is trained.
    """
    check_fold_seed(space.folds, space.fold_seed)
    check_trainable(manifest, space.folds)
    runs, recipe_of = RunStore(parameters.store), cache(partial(_recipe, manifest, parameters))
    planned: dict[str, PlannedRun] = {}
    first: dict[str, PlannedRun] = {}  # of each trial
    known: set[str] = set()
    seedless: set[str] = set()
    count = 0
    search = search_of(space)
    while trials := search.ask():
        asked = [_plan(manifest, trial, space, parameters, recipe_of) for trial in trials]
        plans = [first.setdefault(plan.trial, plan) for plan in asked]
        seedless |= {p.head.kind for p, q in zip(asked, plans, strict=True) if p.seed != q.seed}
        new = {plan.id: plan for plan in plans if plan.id not in planned}
        count += len(trials)
        known |= train_missing(new, parameters.store)
        planned |= new
        search.tell([runs.read(p.id).metrics.get("validation_accuracy") for p in plans])
    return Swept(planned, known, count, seedless)


def train_missing(planned: dict[str, PlannedRun], store: Path) -> set[str]:
    """Train the heads that were not trained before, side by side; return those that were."""
    runs = RunStore(store)
    known = {run for run in planned if run in runs}
    missing = [plan for run, plan in planned.items() if run not in known]
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
    return known


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
    head = make_head(trial.kind, settings, classes=len(manifest.classes))
    seed = next(s for s in (trial.seed, parameters.seed, manifest.seed) if s is not None)
    dealt = {"folds": space.folds, "fold_seed": space.fold_seed}
    told = {"head": trial.kind, "seed": seed, **dealt, "open_test": False, **settings}
    if "batch_size" in told:
        told["head_batch_size"] = told.pop("batch_size")
    features = parameters.features(trial.features)
    about: dict[str, Any] = features.model_dump(mode="json", exclude_none=True)
    if about["weights"] == "none" and trial.seed is not None:
        # Untrained weights have a seed as well: what says both is a sweep of one.
        told |= {"seed": _features_seed(manifest, parameters), "grid": [f"seed={seed}"]}
    recipe = recipe_of(tuple(trial.features.items()))
    asked = about | told
    return PlannedRun(
        manifest, recipe, head, seed, asked, folds=space.folds, fold_seed=space.fold_seed
    )


def _recipe(
    manifest: Manifest, parameters: SweepParameters, values: tuple[tuple[str, Any], ...]
) -> Recipe:
    """Return the recipe of features that are stored; raises InputError where they are not."""
    features = parameters.features(dict(values))
    request = features.request(seed=_features_seed(manifest, parameters))
    (recipe,) = make_job(request, store=parameters.store, engine="auto").recipes
    feature_shape(recipe, manifest, features)
    return recipe


def _features_seed(manifest: Manifest, parameters: SweepParameters) -> int:
    return manifest.seed if parameters.seed is None else parameters.seed


if __name__ == "__main__":
    command_line(sweep, tell_sweep)
