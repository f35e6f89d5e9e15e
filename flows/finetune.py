"""Fine-tune: `python -m flows.finetune RUN`."""

import json
from dataclasses import asdict
from typing import Any

from prefect.task_runners import ThreadPoolTaskRunner

from flows.artifacts import log_told, progress_artifact, run_name, show_heads
from flows.cli.command_line import Summary, command_line
from flows.cli.progress import announce
from flows.cli.warm_up import warm_up_finetune
from flows.extract import account
from flows.orchestration.served_flow import flow
from flows.parameters.finetune import FinetuneParameters
from flows.stages.arguments import quote
from flows.stages.compute import ByPrefect
from flows.stages.near_duplicates import leaks_stage
from flows.text.heads import tell_finetune
from stores.features.recipe import Recipe
from stores.features.store import FeatureStore
from stores.manifest import Manifest
from stores.runs.record import Run
from stores.runs.store import RunStore
from stores.storage.location import StoreLike
from tasks.datasets.folds import LEARNED_FROM
from tasks.evaluation.duplicate_search import summary_of
from tasks.evaluation.selection import selection_of
from tasks.features.extract import compute_needed
from tasks.finetune.frozen_features import prefix_job
from tasks.finetune.plan import plan_finetuning
from tasks.finetune.saved import features_job
from tasks.finetune.train import finetune_task
from tasks.report.candidates import head_name
from tasks.report.leaderboard import compared
from tasks.report.write import report_task
from tasks.training.evaluate_test_split import check_testable, open_test_task


@flow(name="finetune", flow_run_name=run_name, task_runner=ThreadPoolTaskRunner(max_workers=2))
def finetune(run: str, *, parameters: FinetuneParameters = FinetuneParameters()) -> Summary:
    """Train a run's backbone together with its head, on the images.

    Args:
        run: Id of a run, or the beginning of it, whose head was trained on features.
        parameters: Which layers are trained, how, and where runs are kept.
    """
    parameters.read_through_layers()
    runs = RunStore(parameters.store)
    start = runs.read(run)
    manifest = Manifest.read(parameters.store, start.dataset)
    if parameters.open_test:
        check_testable(manifest)
    tuned, recipe, cached = tune_stage(start, manifest, parameters)
    if parameters.open_test and not tuned.failure:
        test_stage(tuned, manifest, parameters)
    began = FeatureStore.open(parameters.store, start.fingerprint).recipe
    recipes = list(dict.fromkeys([recipe, began]))
    chosen = start.id if tuned.failure else tuned.id
    found = leaks_stage(manifest, start.id, parameters.store)
    report = report_task(
        store=parameters.store,
        manifest=quote(manifest),
        extraction=quote(account(manifest, recipes, None, store=parameters.store)),
        runs=[start.id],
        chosen=chosen,
        duplicates=quote(found),
    )
    leaks = {"near_duplicates": summary_of(found, manifest), "folds": start.folds}
    about = {"cached": cached, "report": str(report), **leaks}
    summary = _summary(start, tuned, manifest, recipe, parameters.store) | about
    if selection := summary["selection"]:
        both = [start.id, tuned.id]
        show_heads(parameters.store, both, tuned.id, selection=selection, report=report)
    log_told(tell_finetune(summary))
    return summary


def tune_stage(
    start: Run, manifest: Manifest, parameters: FinetuneParameters
) -> tuple[Run, Recipe, bool]:
    """Return the fine-tuned run, the recipe that its head began with, and if it was there."""
    store, runs = parameters.store, RunStore(parameters.store)
    if parameters.strategy == "features":  # that is what the run is
        job = features_job(start, store=store, weights=parameters.weights)
        return start, job.recipes[0], True
    planned = plan_finetuning(
        start, manifest, parameters.request, store=store, engine=parameters.engine
    )
    known = planned.id in runs
    if not known and planned.from_cache:
        compute_needed(
            manifest,
            prefix_job(planned),
            splits=LEARNED_FROM,
            views=planned.tuning.views,
            executor=ByPrefect(),
        )
    images = 0 if known else len(manifest.select("train").keys) * planned.tuning.epochs
    if images:
        announce(images, doing="fine-tuning")
    with progress_artifact(images, f"fine-tuning {start.id[:16]}"):
        finetune_task(quote(planned), store=store)
    return runs.read(planned.id), planned.run.recipe, known


def test_stage(tuned: Run, manifest: Manifest, parameters: FinetuneParameters) -> None:
    """Evaluate a fine-tuned run on the test split, on the record."""
    store = parameters.store
    job = features_job(tuned, store=store, engine=parameters.engine)
    compute_needed(manifest, job, splits=("test",), executor=ByPrefect())
    (recipe,) = job.recipes
    open_test_task(tuned.id, quote(manifest), quote(recipe), store=store, asked_by="flows.finetune")


def _summary(
    start: Run, tuned: Run, manifest: Manifest, recipe: Recipe, store: StoreLike
) -> dict[str, Any]:
    runs = RunStore(store)
    openings = runs.openings(tuned.id)
    differ = not tuned.failure and tuned.id != start.id
    return {
        "run": tuned.id,
        "started_from": start.id,
        "dataset": manifest.name,
        "finetuning": tuned.finetuning,
        "image_size": recipe.image_size,
        "seed": tuned.seed,
        "failure": tuned.failure,
        "head": head_name(tuned),
        "train_accuracy": tuned.metrics.get("train_accuracy"),
        "validation_accuracy": tuned.metrics.get("validation_accuracy"),
        "started_from_accuracy": start.metrics["validation_accuracy"],
        "selection": None if tuned.failure else asdict(selection_of(runs, tuned)),
        "comparison": _comparison(runs, start, tuned) if differ else None,
        "test_accuracy": openings[-1].metrics["test_accuracy"] if openings else None,
        "test_openings": runs.times_opened(manifest.select("test").keys),
    }


def _comparison(runs: RunStore, start: Run, tuned: Run) -> dict[str, Any]:
    """Return how a run differs from its start: the one comparison of each fine-tuning of it."""
    begun = [json.loads(row["finetuning"]) for row in runs.table().to_pylist()]
    tunings = sum(finetuning.get("started_from") == start.id for finetuning in begun)
    return compared(runs.root, start.id, tuned.id, comparisons=tunings)


def diverged(summary: Summary) -> bool:
    """Tell whether nothing came of it."""
    return bool(summary["failure"])


if __name__ == "__main__":
    command_line(finetune, tell_finetune, warm_up=warm_up_finetune, failed=diverged)
