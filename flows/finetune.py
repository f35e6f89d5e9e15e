"""Fine-tune: `python -m flows.finetune RUN`.

Command 6: Train the last layers of the backbone too.

Example:
    >>> tuned = gargalo.finetune(result.run, unfreeze="block5c_add", epochs=3)
    >>> tuned.chosen.validation_accuracy
"""

import json

from flows.artifacts import log_text, progress_artifact, run_name, show_heads
from flows.cli.command_line import command_line
from flows.cli.progress import announce
from flows.cli.work import finetune_work
from flows.orchestration.served_flow import flow
from flows.parameters.finetune import FinetuneParameters
from flows.stages.compute import shards_by
from flows.stages.near_duplicates import near_duplicates_stage
from flows.stages.runners import Runner
from flows.summaries.heads import FinetuneSummary
from flows.text.heads import finetune_text
from stores.features.recipe import Recipe
from stores.features.store import FeatureStore
from stores.manifest import Manifest
from stores.runs.record import Run
from stores.runs.store import RunStore
from tasks.datasets.folds import LEARNED_FROM
from tasks.datasets.labelled_files import check_of_classes
from tasks.evaluation.costs import costs_of
from tasks.evaluation.duplicate_search import summary_of
from tasks.execution.steps import quote
from tasks.features.accounting import account
from tasks.features.extract import compute_needed
from tasks.finetune.frozen_features import prefix_job
from tasks.finetune.plan import plan_finetuning
from tasks.finetune.saved import features_job
from tasks.finetune.train import finetune_task
from tasks.report.heads_summary import summarize_heads
from tasks.report.run_facts import FigureComparison, RunComparison, compared
from tasks.report.write import report_task
from tasks.training.evaluate_test_split import check_testable, open_test_task


@flow(name="finetune", flow_run_name=run_name, threads=2)
def finetune(run: str, *, parameters: FinetuneParameters = FinetuneParameters()) -> FinetuneSummary:
    """Fine-tune a run's backbone and head on the images.

    Args:
        run: Id of a run, or the beginning of it, whose head was trained on features.
        parameters: Which layers are trained, how, and where runs are kept.
    """
    parameters.read_through_layers()
    runs = RunStore(parameters.store)
    start = runs.read(run)
    manifest = Manifest.read(parameters.store, start.dataset)
    fix = f"train heads on features with python -m flows.train {manifest.name!r}"
    check_of_classes(manifest, "fine-tuning", fix=fix)
    costs = costs_of(parameters.cost, manifest.classes, manifest.target)
    if parameters.open_test:
        check_testable(manifest)
    tuned, recipe, cached = tune_stage(start, manifest, parameters)
    if parameters.open_test and not tuned.failure:
        test_stage(tuned, manifest, parameters)
    began = FeatureStore.open(parameters.store, start.fingerprint).recipe
    recipes = list(dict.fromkeys([recipe, began]))
    chosen = start.id if tuned.failure else tuned.id
    found = near_duplicates_stage(manifest, start.id, parameters.store)
    report = report_task(
        store=parameters.store,
        manifest=quote(manifest),
        extraction=quote(account(manifest, recipes, None, store=parameters.store)),
        runs=[start.id],
        chosen=chosen,
        duplicates=quote(found),
        costs=costs,
    )
    both = [start] if tuned.id == start.id else [start, tuned]
    known = {start.id, tuned.id} if cached else {start.id}
    summary = FinetuneSummary(
        **vars(summarize_heads(runs, manifest, both, tuned, cached=known)),
        started_from=start.id,
        finetuning=tuned.finetuning,
        image_size=recipe.image_size,
        cached=cached,
        comparison=None if chosen == start.id else _comparison(runs, start, tuned),
        near_duplicates=summary_of(found, manifest),
        report=str(report),
    )
    if not tuned.failure:
        show_heads(summary, parameters.store, report=report)
    log_text(finetune_text(summary))
    return summary


def tune_stage(
    start: Run, manifest: Manifest, parameters: FinetuneParameters
) -> tuple[Run, Recipe, bool]:
    """Return the fine-tuned run, the recipe that it started from, and whether it was cached."""
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
            shards=shards_by(Runner()),
        )
    images = 0 if known else len(manifest.select("train").keys) * planned.tuning.epochs
    if images:
        announce(images, doing="fine-tuning")
    with progress_artifact(images, f"fine-tuning {start.id[:16]}"):
        finetune_task(quote(planned), store=store)
    return runs.read(planned.id), planned.run.recipe, known


def test_stage(tuned: Run, manifest: Manifest, parameters: FinetuneParameters) -> None:
    """Evaluate a fine-tuned run on the test split; this is recorded."""
    store = parameters.store
    job = features_job(tuned, store=store, engine=parameters.engine)
    compute_needed(manifest, job, splits=("test",), shards=shards_by(Runner()))
    (recipe,) = job.recipes
    open_test_task(tuned.id, quote(manifest), quote(recipe), store=store, asked_by="flows.finetune")


def _comparison(runs: RunStore, start: Run, tuned: Run) -> RunComparison | FigureComparison:
    """Return how a run differs from its start: the one comparison of each fine-tuning of it."""
    begun = [json.loads(row["finetuning"]) for row in runs.table().to_pylist()]
    tunings = sum(finetuning.get("started_from") == start.id for finetuning in begun)
    return compared(runs.root, start.id, tuned.id, comparisons=tunings)


def diverged(summary: FinetuneSummary) -> bool:
    """Return whether the fine-tuning failed."""
    return bool(summary.chosen.failure)


if __name__ == "__main__":
    command_line(finetune, finetune_text, work=finetune_work, failed=diverged)
