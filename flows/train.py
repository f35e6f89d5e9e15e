"""Train: `python -m flows.train DATASET`.

Command 3: Train heads on stored features.

Example:
    >>> result = gargalo.train("photos", head=["dense", "svm"])
    >>> result.run
"""

import shlex
from dataclasses import replace
from pathlib import Path

from flows.artifacts import log_text, run_name, show_heads
from flows.cli.command_line import command_line
from flows.cli.progress import announce
from flows.cli.work import Load, nothing
from flows.orchestration.served_flow import flow
from flows.parameters.features import FeatureParameters
from flows.parameters.heads import OpenTestParameters, TrainParameters
from flows.parameters.seeds import seed_for
from flows.stages.near_duplicates import near_duplicates_stage
from flows.summaries.heads import TrainSummary
from flows.text.heads import train_text
from stores.features.recipe import Recipe
from stores.features.store import FeatureStore
from stores.manifest import Manifest
from stores.runs.store import RunStore
from tasks.datasets.folds import LEARNED_FROM
from tasks.errors import InputError
from tasks.evaluation.duplicate_search import summary_of
from tasks.execution.steps import quote
from tasks.features.job import make_job
from tasks.heads.presets import make_heads
from tasks.report.heads_summary import summarize_heads
from tasks.training.evaluate_test_split import check_testable, open_test_task
from tasks.training.planned_runs import PlannedRun, choose
from tasks.training.train import train_task
from tasks.training.trainable import check_trainable, remarks


@flow(name="train", flow_run_name=run_name)
def train(dataset: str, *, parameters: OpenTestParameters = OpenTestParameters()) -> TrainSummary:
    """Train heads on cached features, and choose the best on validation.

    Args:
        dataset: Name of a data set whose features were extracted.
        parameters: Which features, which heads, and where they are kept.
    """
    parameters.read_through_layers()
    manifest = find_data_set(dataset, parameters)
    tested_by = "train" if parameters.open_test else None
    summary = train_stage(manifest, parameters, tested_by=tested_by)
    found = near_duplicates_stage(manifest, summary.run, parameters.store)
    summary = replace(summary, near_duplicates=summary_of(found, manifest))
    show_heads(summary, parameters.store)
    log_text(train_text(summary))
    return summary


def train_work(dataset: str, *, parameters: TrainParameters, tests: bool = False) -> Load | None:
    """Return a function that loads nothing; None where all heads are trained, and the best tested.

    `tests`: the chosen head is to be tested, whatever the parameters.
    """
    parameters.read_through_layers()
    manifest = Manifest.read(parameters.store, dataset.rstrip("/"))
    runs = RunStore(parameters.store)
    planned = plan_runs(manifest, parameters)
    if any(plan.id not in runs for plan in planned):
        return nothing
    tests = tests or getattr(parameters, "open_test", False)
    chosen = choose([runs.read(plan.id) for plan in planned])
    return nothing if tests and not runs.openings(chosen.id) else None


def find_data_set(dataset: str, parameters: OpenTestParameters) -> Manifest:
    """Return the data set of that name; raises InputError where it cannot be tested."""
    name = dataset.rstrip("/")
    if "/" in name:
        raise InputError(f"{dataset}: give the name of a data set, not a folder: {Path(name).name}")
    manifest = Manifest.read(parameters.store, name)
    if parameters.open_test:
        check_testable(manifest)
    return manifest


def train_stage(
    manifest: Manifest, parameters: TrainParameters, *, tested_by: str | None
) -> TrainSummary:
    """Train each head that was not trained before; with `tested_by`, a flow, test the chosen."""
    check_heads(manifest, parameters)
    runs = RunStore(parameters.store)
    planned = plan_runs(manifest, parameters)
    cached = {plan.id for plan in planned if plan.id in runs}
    announce(sum(plan.id not in cached for plan in planned), doing="training", noun="heads")
    for plan in planned:
        train_task(quote([plan]), store=parameters.store)
    trained = [runs.read(plan.id) for plan in planned]
    chosen = choose(trained)
    if tested_by:
        recipe = planned[0].recipe
        open_test_task(
            chosen.id,
            quote(manifest),
            quote(recipe),
            store=parameters.store,
            asked_by=f"flows.{tested_by}",
        )
    requested = [plan.parameters for plan in planned]
    heads = summarize_heads(runs, manifest, trained, chosen, requested=requested, cached=cached)
    return TrainSummary(
        **vars(heads),
        cached=len(cached) == len({run.id for run in trained}),
        remarks=tuple(remarks(manifest, chosen.folds)),
    )


def check_heads(manifest: Manifest, parameters: TrainParameters) -> None:
    """Raise InputError where heads cannot be trained on this data set, whatever the features."""
    folds, _ = parameters.dealt
    check_trainable(manifest, folds)
    make_heads(
        parameters.heads_for(manifest.target),
        parameters.head_settings,
        classes=len(manifest.classes),
        target=manifest.target,
    )


def plan_runs(manifest: Manifest, parameters: TrainParameters) -> list[PlannedRun]:
    """Return the run that each named head will be, in their order; nothing is trained."""
    seed = seed_for(parameters.seed, manifest)
    request = parameters.request(weights_seed=seed, dataset=manifest.name)
    job = make_job(request, store=parameters.store, engine="auto")
    (recipe,) = job.recipes
    heads = make_heads(
        parameters.heads_for(manifest.target),
        parameters.head_settings,
        classes=len(manifest.classes),
        target=manifest.target,
        feature_shape=feature_shape(recipe, manifest, parameters),
    )
    requested = parameters.model_dump(mode="json", exclude_none=True)
    folds, fold_seed = parameters.dealt
    several = {"heads": list(heads)} if len(heads) > 1 else {}  # to request them all again
    return [
        PlannedRun(
            manifest,
            recipe,
            head,
            seed,
            requested | several | {"head": name},
            folds=folds,
            fold_seed=fold_seed,
        )
        for name, head in heads.items()
    ]


def feature_shape(
    recipe: Recipe, manifest: Manifest, parameters: FeatureParameters
) -> tuple[int, ...]:
    """Return the shape of stored features; raises InputError where some are missing."""
    features, keys = FeatureStore(parameters.store, recipe), manifest.select(*LEARNED_FROM).keys
    shape, missing = features.feature_shape, int(features.missing(keys).sum())
    if shape is None or missing:
        raise InputError(
            f"{missing} of {len(keys)} features of recipe {recipe} are not stored: extract them "
            f"first, python -m flows.extract {shlex.quote(manifest.name)} {parameters.flags}"
        )
    return shape


if __name__ == "__main__":
    command_line(train, train_text, work=train_work)
