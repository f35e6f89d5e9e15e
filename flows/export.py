"""Export: `python -m flows.export RUN FOLDER`."""

from functools import partial
from pathlib import Path

import pyarrow.compute as pc

from flows.artifacts import run_name, show_told
from flows.cli.command_line import Summary, command_line
from flows.cli.progress import announce
from flows.orchestration.served_flow import flow
from flows.parameters.runs import ExportParameters
from flows.text.stores import tell_export
from stores.manifest import Manifest
from stores.runs.record import Run
from stores.runs.store import RunStore
from tasks.errors import InputError
from tasks.export.model_card import model_card
from tasks.export.write import check_new, images_of
from tasks.export.write import export as export_classifier
from tasks.inference.predict import Classifier, Prediction, load_classifier, predict


@flow(name="export", flow_run_name=run_name)
def export(run: str, folder: Path, *, parameters: ExportParameters = ExportParameters()) -> Summary:
    """Write a run as one model that takes an image and says its class.

    Args:
        run: Id of a run, or the beginning of it.
        folder: New folder for the model, its classes and its card.
        parameters: Where the run is kept, and which formats are written.
    """
    check_new(folder, force=parameters.force)
    stored = RunStore(parameters.store).read(run)
    manifest = Manifest.read(parameters.store, stored.dataset)
    classifier = load_classifier(stored, store=parameters.store, weights=parameters.weights)
    deviations = export_classifier(
        classifier,
        _expected(stored, manifest, classifier, parameters),
        folder,
        formats=parameters.format,
        card=partial(model_card, stored, manifest, classifier, parameters.store),
    )
    summary = {
        "run": stored.id,
        "folder": str(folder),
        "classes": list(stored.classes),
        "scores": classifier.scores,
        "models": {
            name: {
                "images": found.images,
                "labels_that_differ": found.labels_that_differ,
                "largest_difference": found.largest_difference,
            }
            for name, found in deviations.items()
        },
    }
    show_told(f"export of {stored.id[:16]}", tell_export(summary))
    return summary


def _expected(
    run: Run, manifest: Manifest, classifier: Classifier, parameters: ExportParameters
) -> list[tuple[Path, Prediction]]:
    """Return the run's validation images with what its classifier says of them."""
    told = RunStore(parameters.store).predictions(run.id)
    keys = set(told.filter(pc.equal(told["split"], "validation"))["key"].to_pylist())
    paths = images_of(manifest, keys)
    announce(len(paths), doing="predicting")
    said = list(zip(paths, predict(paths, classifier, batch_size=32), strict=True))
    expected = [(path, one) for path, one in said if one.predicted]
    if not expected:
        lacks = "is in the data set any more"
        if said:
            lacks = f"can be read ({said[0][0]}: {said[0][1].reason})"
        raise InputError(
            f"run {run.id[:16]}: none of its validation images {lacks}, so that an exported model "
            "could not be compared with it"
        )
    return expected


if __name__ == "__main__":
    command_line(export, tell_export, needs_server=False)
