"""Extract: `python -m flows.extract FOLDER-OR-DATASET`."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

from prefect.task_runners import ThreadPoolTaskRunner

from flows.artifacts import log_told, run_name, show_accounting, tell_extracted
from flows.cli.command_line import Summary, command_line
from flows.cli.warm_up import warm_up_extract
from flows.ingest import ingest_stage
from flows.orchestration.served_flow import flow
from flows.parameters.features import ExtractParameters
from flows.stages.compute import ByPrefect, for_any_process
from flows.text.stores import tell_extract
from stores.features.recipe import Recipe
from stores.features.store import FeatureStore
from stores.manifest import Manifest
from tasks.errors import InputError
from tasks.features.extract import compute_missing
from tasks.features.job import make_job
from tasks.features.shard_work import ShardDone

_FOLDERS_ONLY = {
    "dataset",
    "test_split",
    "validation_split",
    "layout",
    "split_file",
    "rehash",
}


# Two shards at a time, of which one computes: the other is being written, or read ahead.
@flow(name="extract", flow_run_name=run_name, task_runner=ThreadPoolTaskRunner(max_workers=2))
def extract(source: str, *, parameters: ExtractParameters = ExtractParameters()) -> Summary:
    """Compute the features that the store does not have, once for each image.

    Args:
        source: Folder of images, which is ingested first, or the name of a data set.
        parameters: What features, of which data set, and where they are kept.
    """
    parameters.read_through_layers()
    manifest = find_manifest(source, parameters)
    manifest, summary = extract_stage(manifest, parameters)
    tell_extracted(manifest.name, parameters)
    log_told(tell_extract(summary))
    return summary


def find_manifest(source: str, parameters: ExtractParameters) -> Manifest:
    """Return the data set of a folder, brought up to date, or the one of that name."""
    if source and Path(source).is_dir():
        return ingest_stage(Path(source), parameters)[0]
    if not source or "/" in source:
        raise InputError(
            f"{source!r}: there is no such folder; give a folder, or a data set's name"
        )
    if given := _FOLDERS_ONLY & parameters.explicit:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(given))
        raise InputError(f"{flags}: only for a folder; {source!r} names a data set that is there")
    return Manifest.read(parameters.store, source)


def extract_stage(manifest: Manifest, parameters: ExtractParameters) -> tuple[Manifest, Summary]:
    """Extract what is missing; return the manifest without unusable files, and a summary."""
    began = time.perf_counter()
    store = parameters.store
    seed = manifest.seed if parameters.seed is None else parameters.seed
    job = make_job(parameters.request(seed=seed), store=store, engine=parameters.engine)
    extraction = compute_missing(
        manifest,
        for_any_process(job),
        executor=ByPrefect(parameters.where),
        batch_size=parameters.batch_size,
        shard_size=parameters.shard_size,
    )
    seconds = time.perf_counter() - began
    manifest, done = extraction.manifest, extraction.shards
    summary = account(manifest, job.recipes, done, store=store, seconds=seconds)
    summary["checked"] += extraction.compared
    show_accounting(summary)
    return manifest, summary


def account(
    manifest: Manifest,
    recipes: Sequence[Recipe],
    done: Sequence[ShardDone] | None,
    *,
    store: Path,
    seconds: float = 0.0,
) -> Summary:
    """Return the exact accounting: images = cached + computed + duplicates.

    Where no features were looked for, `done` is None, and so is the number of those cached.
    """
    about = manifest.summary()
    looked, done = done is not None, done or []
    computed = sum(shard.computed for shard in done)
    producer = done[-1].producer if done else {}
    told = [
        {
            "tap": recipe.tap,
            "fingerprint": recipe.fingerprint,
            "feature_shape": FeatureStore(store, recipe).feature_shape,
            "recipe": json.loads(recipe.to_json()),
        }
        for recipe in recipes
    ]
    return {
        "dataset": manifest.name,
        "images": about["images"],
        "cached": about["images"] - about["duplicates"] - computed if looked else None,
        "computed": computed,
        "checked": sum(shard.checked for shard in done),
        "duplicates": about["duplicates"],
        "rejected": about["rejected"],
        "notes": about["notes"],
        "fingerprint": told[0]["fingerprint"],
        "feature_shape": told[0]["feature_shape"],
        "recipes": told,
        "engine": producer.get("engine", "none"),
        "agreement": producer.get("agreement"),
        "seconds": round(seconds, 3),
        "images_per_second": round(computed / seconds, 1) if seconds else 0.0,
    }


if __name__ == "__main__":
    command_line(extract, tell_extract, warm_up=warm_up_extract)
