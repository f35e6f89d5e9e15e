"""Ingest: `python -m flows.ingest FOLDER`.

Command 1: Read a folder of images as a data set with splits.

Example:
    >>> gargalo.ingest("photos", test_split=0.1).counts
"""

from dataclasses import replace
from pathlib import Path

from flows.artifacts import log_text, run_name
from flows.cli.command_line import command_line
from flows.cli.progress import announce
from flows.cli.work import ingest_work
from flows.orchestration.served_flow import flow
from flows.parameters.datasets import DatasetParameters, Folder, IngestParameters, check_source
from flows.summaries.stores import IngestSummary
from flows.text.datasets import ingest_text
from stores.manifest import Manifest
from tasks.datasets.ingest import Ingested, ingest_task
from tasks.datasets.seen_folder import count_packed
from tasks.datasets.splits import majority_baseline
from tasks.execution.steps import quote


@flow(name="ingest", flow_run_name=run_name)
def ingest(folder: Folder, *, parameters: IngestParameters = IngestParameters()) -> IngestSummary:
    """Find, check, hash and split the images of a folder.

    Args:
        folder: Folder with one folder of images a class, or with train/ and validation/ [and
            test/] that have those; without classes with --layout unlabelled.
        parameters: The data set's name, its splits, and where it is kept.
    """
    _, found = ingest_stage(folder, parameters)
    summary = replace(found, verbose=parameters.verbose)
    log_text(ingest_text(summary))
    return summary


def ingest_stage(
    folder: Path, parameters: DatasetParameters, *, needs_labels: bool = True
) -> tuple[Manifest, IngestSummary]:
    """Bring the data set of a folder up to date; return its manifest and a summary."""
    announce_unpacking(folder, parameters)
    return summarized(ingest_task(quote(parameters.asked(folder, needs_labels=needs_labels))))


def announce_unpacking(folder: Path, parameters: DatasetParameters) -> None:
    """Show progress where --labels holds images that are not in the folder yet."""
    if packed := count_packed(parameters.asked(folder)):
        announce(packed, doing="unpacking")


def summarized(ingested: Ingested) -> tuple[Manifest, IngestSummary]:
    """Return the manifest of a data set, and a summary."""
    return ingested.manifest, _summary(ingested.manifest, ingested.read)


def with_splits_of(manifest: Manifest, summary: IngestSummary) -> IngestSummary:
    """Return the summary of an ingest, of the splits that the data set has got since."""
    return replace(_summary(manifest, summary.read), verbose=summary.verbose)


def _summary(manifest: Manifest, read: int) -> IngestSummary:
    about = manifest.summary()
    of_classes = about.target == "classes" and about.counts
    largest, accuracy = majority_baseline(about.counts) if of_classes else (None, None)
    return IngestSummary(
        **vars(about), largest_class=largest, largest_class_accuracy=accuracy, read=read
    )


if __name__ == "__main__":
    command_line(ingest, ingest_text, work=ingest_work, check=check_source)
