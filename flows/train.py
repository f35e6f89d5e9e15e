"""Train: `python -m flows.train DATASET`."""

import shlex
from dataclasses import asdict
from pathlib import Path

from flows.artifacts import log_told, run_name, show_heads
from flows.cli.command_line import Summary, command_line
from flows.cli.progress import announce
from flows.orchestration.served_flow import flow
from flows.parameters.features import FeatureParameters
from flows.parameters.heads import OpenTestParameters, TrainParameters
from flows.stages.arguments import quote
from flows.stages.near_duplicates import leaks_stage
from flows.text.heads import tell_train
from stores.features.recipe import Recipe
from stores.features.store import FeatureStore
from stores.manifest import Manifest
from stores.runs.record import Run
from stores.runs.store import RunStore
from tasks.datasets.folds import LEARNED_FROM
from tasks.errors import InputError
from tasks.evaluation.duplicate_search import summary_of
from tasks.evaluation.selection import selection_of
from tasks.features.job import make_job
from tasks.heads.presets import make_heads
from tasks.training.evaluate_test_split import check_testable, open_test_task
from tasks.training.planned_runs import PlannedRun, check_trainable, choose, remarks
from tasks.training.train import train_task


@flow(name="train", flow_run_name=run_name)
def train(dataset: str, *, parameters: OpenTestParameters = OpenTestParameters()) -> Summary:
    """Train heads on cached features, and choose the best on validation.

    Args:
        dataset: Name of a data set whose features were extracted.
        parameters: Which features, which heads, and where they are kept.
    """
    parameters.read_through_layers()
    manifest = find_data_set(dataset, parameters)
    tested_by = "train" if parameters.open_test else None
    summary = train_stage(manifest, parameters, tested_by=tested_by)
    found = leaks_stage(manifest, summary["run"], parameters.store)
    summary |= {"near_duplicates": summary_of(found, manifest)}
    trained = [run["run"] for run in summary["runs"]]
    show_heads(parameters.store, trained, summary["run"], selection=summary["selection"])
    log_told(tell_train(summary))
    return summary


def find_data_set(dataset: str, parameters: OpenTestParameters) -> Manifest:
    """Return the data set of that name; raises InputError where it cannot be tested as asked."""
    name = dataset.rstrip("/")
    if "/" in name:
        raise InputError(f"{dataset}: give the name of a data set, not a folder: {Path(name).name}")
    manifest = Manifest.read(parameters.store, name)
    if parameters.open_test:
        check_testable(manifest)
    return manifest


def train_stage(
    manifest: Manifest, parameters: TrainParameters, *, tested_by: str | None
) -> Summary:
    """Train each head that was not trained before; where a flow asks for it, test the chosen."""
    check_heads(manifest, parameters)
    runs = RunStore(parameters.store)
    planned = plan_runs(manifest, parameters)
    known = {name: plan.id in runs for name, plan in planned.items()}
    announce(len(known) - sum(known.values()), doing="training", noun="heads")
    for plan in planned.values():
        train_task(quote([plan]), store=parameters.store)
    trained = {name: runs.read(plan.id) for name, plan in planned.items()}
    chosen = choose(list(trained.values()))
    if tested_by:
        recipe = next(plan.recipe for plan in planned.values())
        open_test_task(
            chosen.id,
            quote(manifest),
            quote(recipe),
            store=parameters.store,
            asked_by=f"flows.{tested_by}",
        )
    return _summary(runs, manifest, trained, chosen, known)


def check_heads(manifest: Manifest, parameters: TrainParameters) -> None:
    """Raise InputError where heads cannot be trained on this data set, whatever the features."""
    folds, _ = parameters.dealt
    check_trainable(manifest, folds)
    make_heads(parameters.head, parameters.head_settings, classes=len(manifest.classes))


def plan_runs(manifest: Manifest, parameters: TrainParameters) -> dict[str, PlannedRun]:
    """Return the run that each named head will be, by the head's name; nothing is trained."""
    seed = manifest.seed if parameters.seed is None else parameters.seed
    job = make_job(parameters.request(seed=seed), store=parameters.store, engine="auto")
    (recipe,) = job.recipes
    heads = make_heads(
        parameters.head,
        parameters.head_settings,
        classes=len(manifest.classes),
        feature_shape=feature_shape(recipe, manifest, parameters),
    )
    asked = parameters.model_dump(mode="json", exclude_none=True)
    folds, fold_seed = parameters.dealt
    several = {"heads": asked["head"]} if len(heads) > 1 else {}  # to ask for them all again
    return {
        name: PlannedRun(
            manifest,
            recipe,
            head,
            seed,
            asked | several | {"head": name},
            folds=folds,
            fold_seed=fold_seed,
        )
        for name, head in heads.items()
    }


def feature_shape(
    recipe: Recipe, manifest: Manifest, parameters: FeatureParameters
) -> tuple[int, ...]:
    """Return the shape of stored features; raises InputError, with the way out, where some lack."""
    features, keys = FeatureStore(parameters.store, recipe), manifest.select(*LEARNED_FROM).keys
    shape, missing = features.feature_shape, int(features.missing(keys).sum())
    if shape is None or missing:
        raise InputError(
            f"{missing} of {len(keys)} features of recipe {recipe} are not stored: extract them "
            f"first, python -m flows.extract {shlex.quote(manifest.name)} {parameters.flags}"
        )
    return shape


def _summary(
    runs: RunStore,
    manifest: Manifest,
    trained: dict[str, Run],
    chosen: Run,
    known: dict[str, bool],
) -> Summary:
    name = next(name for name, run in trained.items() if run.id == chosen.id)
    openings = runs.openings(chosen.id)
    return {
        "run": chosen.id,
        "head": name,
        "dataset": manifest.name,
        "validation_accuracy": chosen.metrics["validation_accuracy"],
        "selection": asdict(selection_of(runs, chosen)),
        "test_accuracy": openings[-1].metrics["test_accuracy"] if openings else None,
        "test_openings": runs.times_opened(manifest.select("test").keys),
        "cached": all(known.values()),
        "folds": chosen.folds,
        "remarks": remarks(manifest, chosen.folds),
        "runs": [
            {
                "run": run.id,
                "head": head,
                "cached": known[head],
                "failure": run.failure,
                **run.metrics,
            }
            for head, run in trained.items()
        ],
    }


if __name__ == "__main__":
    command_line(train, tell_train)
