"""Ingest: `python -m flows.ingest FOLDER`."""

from pathlib import Path

from flows.artifacts import log_told, run_name
from flows.cli.command_line import Summary, command_line
from flows.cli.warm_up import warm_up_ingest
from flows.orchestration.served_flow import flow
from flows.parameters.features import DatasetParameters, Folder, IngestParameters
from flows.stages.arguments import quote
from flows.text.stores import tell_ingest
from stores.manifest import Manifest
from tasks.datasets.ingest import ingest_task
from tasks.datasets.splits import majority_baseline


@flow(name="ingest", flow_run_name=run_name)
def ingest(folder: Folder, *, parameters: IngestParameters = IngestParameters()) -> Summary:
    """Find, check, hash and split the images of a folder.

    Args:
        folder: Folder with one folder of images a class, or with train/ and validation/ [and
            test/] that have those.
        parameters: The data set's name, its splits, and where it is kept.
    """
    _, summary = ingest_stage(folder, parameters)
    log_told(tell_ingest(summary))
    return summary


def ingest_stage(folder: Path, parameters: DatasetParameters) -> tuple[Manifest, Summary]:
    """Bring the data set of a folder up to date; return its manifest and a summary."""
    ingested = ingest_task(
        folder,
        store=parameters.store,
        dataset=parameters.dataset,
        rule=quote(parameters.split_rule),
        layout=parameters.layout,
        rehash=parameters.rehash,
    )
    about = ingested.manifest.summary()
    largest, accuracy = majority_baseline(about["counts"])
    return ingested.manifest, {
        **about,
        "largest_class": largest,
        "largest_class_accuracy": accuracy,
        "read": ingested.read,
    }


if __name__ == "__main__":
    command_line(ingest, tell_ingest, warm_up=warm_up_ingest)
