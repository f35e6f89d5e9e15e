"""Extract: `python -m flows.extract FOLDER-OR-DATASET`.

Command 2: Compute the features that the store does not have.

Example:
    >>> gargalo.extract("photos", backbone="mobilenet_v2", image_size=160).computed
"""

import time
from dataclasses import replace
from pathlib import Path

from flows.artifacts import emit_extracted, log_text, run_name, show_accounting
from flows.cli.command_line import command_line
from flows.cli.work import extract_work
from flows.ingest import ingest_stage
from flows.orchestration.served_flow import flow
from flows.parameters.features import ComputeParameters, ExtractParameters
from flows.stages.compute import job_for, shards_by
from flows.stages.near_duplicates import in_features_stage, keep_together_stage
from flows.stages.quantized import quantize_stage
from flows.stages.read_and_compute import ingest_and_compute_stage
from flows.summaries.stores import SearchedExtractSummary
from flows.text.near_duplicates import searched_extract_text as extract_text
from stores.errors import NotInStore
from stores.manifest import Manifest
from tasks.errors import InputError
from tasks.evaluation.duplicate_search import summary_of
from tasks.features.accounting import NOTHING_YET, Begun, ExtractSummary, account
from tasks.features.extract import compute_missing

_FOLDERS_ONLY = {
    "dataset",
    "test_split",
    "validation_split",
    "layout",
    "labels",
    "column",
    "group",
    "group_pattern",
    "label_separator",
    "target",
    "orientation",
    "corrections",
    "split_file",
    "split_by",
    "keep_together",
    "rehash",
}


# Two shards at a time: one computes while the other is written, or read ahead.
@flow(name="extract", flow_run_name=run_name, threads=2)
def extract(
    source: str, *, parameters: ExtractParameters = ExtractParameters()
) -> SearchedExtractSummary:
    """Compute the features that are missing in the store, once for each image.

    Args:
        source: Folder of images, which is ingested first, or the name of a data set. A folder
            without class folders is a data set without labels.
        parameters: Which features, which data set, and where they are kept.
    """
    parameters.read_through_layers()
    manifest, begun = begin_stage(source, parameters)
    manifest, summary = extract_stage(manifest, parameters, begun)
    manifest, kept = keep_together_stage(manifest, summary.fingerprint, parameters.store)
    emit_extracted(manifest.name, parameters)
    searched = SearchedExtractSummary(**vars(summary), kept_together=kept)
    if summary.computed and not (kept and kept.searched):
        found = in_features_stage(manifest, summary.fingerprint, parameters.store)
        searched = replace(searched, near_duplicates=summary_of(found, manifest))
    log_text(extract_text(searched))
    return searched


def begin_stage(source: str, parameters: ComputeParameters) -> tuple[Manifest, Begun]:
    """Return the data set of a folder, or of that name, and what was computed of new files."""
    if _is_folder(source, parameters):
        folder = Path(source)
        manifest, _, begun = ingest_and_compute_stage(folder, parameters, needs_labels=False)
        return manifest, begun
    return find_manifest(source, parameters), NOTHING_YET


def find_manifest(
    source: str, parameters: ComputeParameters, *, needs_labels: bool = True
) -> Manifest:
    """Return the data set of a folder, brought up to date, or the one of that name."""
    if _is_folder(source, parameters):
        return ingest_stage(Path(source), parameters, needs_labels=needs_labels)[0]
    if not source or "/" in source:
        raise InputError(f"{source!r}: folder not found; give a folder, or the name of a data set")
    if given := _FOLDERS_ONLY & parameters.explicit:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(given))
        raise InputError(f"{flags}: only for a folder; {source!r} is the name of a data set")
    try:
        return Manifest.read(parameters.store, source)
    except NotInStore as error:
        raise InputError(f"{source!r}: folder not found; {error}") from None


def _is_folder(source: str, parameters: ComputeParameters) -> bool:
    return bool(source) and (Path(source).is_dir() or parameters.makes(Path(source)))


def extract_stage(
    manifest: Manifest, parameters: ComputeParameters, begun: Begun = NOTHING_YET
) -> tuple[Manifest, ExtractSummary]:
    """Extract what is missing; return the manifest without unusable files, and a summary.

    The summary counts what was `begun`, too.
    """
    began = time.perf_counter()
    int8 = quantize_stage(manifest, parameters)
    job = job_for(parameters, manifest)
    extraction = compute_missing(
        manifest,
        job,
        shards=shards_by(parameters.where),
        batch_size=parameters.batch_size,
        shard_size=parameters.shard_size,
    )
    seconds = time.perf_counter() - began
    summary = account(
        extraction.manifest,
        job.recipes,
        [*begun.shards, *extraction.shards],
        store=parameters.store,
        compared=begun.compared + extraction.compared,
        seconds=begun.seconds + seconds,
    )
    summary = replace(summary, int8=int8)
    show_accounting(summary)
    return extraction.manifest, summary


if __name__ == "__main__":
    command_line(extract, extract_text, work=extract_work)
