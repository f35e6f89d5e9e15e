"""Pipeline: `python -m flows.pipeline [FOLDER]`.

Command 4: Ingest, extract, train, test and report in one command.

Example:
    >>> result = gargalo.pipeline("photos", image_size=160)
    >>> result.train.test_accuracy
"""

import os
from dataclasses import replace
from functools import partial
from pathlib import Path

from flows.artifacts import log_text, run_name, show_heads
from flows.cli.command_line import command_line
from flows.cli.work import Load, extract_work
from flows.extract import extract_stage
from flows.ingest import with_splits_of
from flows.orchestration.served_flow import flow
from flows.parameters.datasets import OptionalFolder, check_source
from flows.parameters.heads import PipelineParameters
from flows.stages.near_duplicates import keep_together_stage, near_duplicates_stage
from flows.stages.read_and_compute import ingest_and_compute_stage
from flows.summaries.heads import PipelineSummary
from flows.text.heads import pipeline_text
from flows.train import check_heads, train_stage, train_work
from stores.manifest import Manifest
from tasks.datasets.digits_sample import write_sample
from tasks.evaluation.costs import costs_of
from tasks.evaluation.duplicate_search import summary_of
from tasks.execution.steps import quote
from tasks.report.write import report_task
from tasks.training.evaluate_test_split import has_test_images

# Seen at 96 pixels, the mean test accuracy of the svm head over 5 seeds: 0.978 at the output of the
# eleventh block, 0.934 at that of the backbone.
SAMPLE_DEFAULTS = {"tap": ["block5c_add"], "image_size": 96}
ABOUT_SAMPLE = (
    "no folder given: this is the embedded sample, scikit-learn's handwritten digits; they are "
    "unlike the photographs of ImageNet that the last layers were trained on, so the features are "
    "taken at an earlier layer, the output of the eleventh block (tap block5c_add)"
)


@flow(name="pipeline", flow_run_name=run_name, threads=2)
def pipeline(
    folder: OptionalFolder = None, *, parameters: PipelineParameters = PipelineParameters()
) -> PipelineSummary:
    """Turn a folder of images into a tested classifier and a report.

    Ingests, extracts features, trains heads, chooses one on validation, tests it, and reports.

    Args:
        folder: Folder of images, as for flows.ingest; without it, the embedded sample of
            handwritten digits.
        parameters: Those of the other flows.
    """
    about = ABOUT_SAMPLE if folder is None else ""
    parameters.read_through_layers()
    folder, parameters = folder_or_sample(folder, parameters)
    check = partial(check_all, parameters=parameters)
    manifest, ingested, begun = ingest_and_compute_stage(folder, parameters, check=check)
    check_all(manifest, parameters)
    manifest, extracted = extract_stage(manifest, parameters, begun)
    manifest, kept = keep_together_stage(manifest, extracted.fingerprint, parameters.store)
    tested_by = "pipeline" if has_test_images(manifest) else None
    trained = train_stage(manifest, parameters, tested_by=tested_by)
    found = near_duplicates_stage(manifest, trained.run, parameters.store)
    report = report_task(
        store=parameters.store,
        manifest=quote(manifest),
        extraction=quote(extracted),
        runs=[head.run for head in trained.runs],
        chosen=trained.run,
        duplicates=quote(found),
        costs=costs_of(parameters.cost, manifest.classes),
    )
    show_heads(trained, parameters.store, report=report)
    trained = replace(trained, near_duplicates=summary_of(found, manifest))
    ingested = with_splits_of(manifest, ingested) if kept else ingested
    summary = PipelineSummary(about, ingested, extracted, trained, str(report))
    log_text(pipeline_text(summary))
    return summary


def check_all(manifest: Manifest, parameters: PipelineParameters) -> None:
    """Raise InputError where heads, or costs, do not fit a data set, whatever the features."""
    check_heads(manifest, parameters)
    costs_of(parameters.cost, manifest.classes, manifest.target)


def folder_or_sample(
    folder: Path | None, parameters: PipelineParameters
) -> tuple[Path, PipelineParameters]:
    """Return the folder and parameters as given, or those of the embedded sample."""
    if folder is not None:
        return folder, parameters
    explicit = parameters.model_dump(include=parameters.explicit)
    defaults = SAMPLE_DEFAULTS if "backbone" not in explicit else {}
    sample = write_sample((parameters.store / "sample").path)
    return sample, PipelineParameters(**defaults | explicit)


def pipeline_work(folder: Path | None, *, parameters: PipelineParameters) -> Load | None:
    """Return what loads the engine where there is something to compute, or to train."""
    folder, parameters = folder_or_sample(folder, parameters)
    if load := extract_work(folder, parameters=parameters):
        return load
    name = parameters.dataset or Path(os.path.realpath(folder)).name
    manifest = Manifest.read(parameters.store, name)
    return train_work(name, parameters=parameters, tests=has_test_images(manifest))


if __name__ == "__main__":
    command_line(pipeline, pipeline_text, work=pipeline_work, check=check_source)
