"""Export: `python -m flows.export RUN FOLDER`.

Command 10: Write a run as a model that needs no gargalo.

Example:
    >>> gargalo.export(result.run, "model", format="keras").folder
"""

from functools import partial
from pathlib import Path

import pyarrow.compute as pc

from flows.artifacts import run_name, show_text
from flows.cli.command_line import command_line
from flows.cli.progress import announce
from flows.orchestration.served_flow import flow
from flows.parameters.runs import ExportParameters
from flows.summaries.stores import ExportSummary
from flows.text.stores import export_text
from stores.manifest import Manifest
from stores.runs.record import Run
from stores.runs.store import RunStore
from tasks.errors import InputError
from tasks.execution.keras_backend import check_backend
from tasks.export.format_names import ExportFormat
from tasks.export.model_card import model_card
from tasks.export.write import check_formats, check_new, images_of, possible_formats
from tasks.export.write import export as export_classifier
from tasks.inference.predict import Classifier, Prediction, load_classifier, predict


@flow(name="export", flow_run_name=run_name)
def export(
    run: str, folder: Path, *, parameters: ExportParameters = ExportParameters()
) -> ExportSummary:
    """Write a run as one model that takes an image and returns its class, labels or number.

    Args:
        run: Id of a run, or the beginning of it.
        folder: New folder for the model, its classes and its card.
        parameters: Where the run is kept, and which formats are written.
    """
    check_new(folder, force=parameters.force)
    check_backend()  # now, and not after the images are predicted
    stored = RunStore(parameters.store).read(run)
    manifest = Manifest.read(parameters.store, stored.dataset)
    classifier = load_classifier(stored, store=parameters.store, weights=parameters.weights)
    formats = _formats(classifier, parameters)
    deviations = export_classifier(
        classifier,
        _expected(stored, manifest, classifier, parameters),
        folder,
        formats=formats,
        card=partial(model_card, stored, manifest, classifier, parameters.store),
    )
    summary = ExportSummary(
        run=stored.id,
        folder=str(folder),
        classes=stored.classes,
        scores=classifier.scores,
        models=deviations,
        target=classifier.target,
    )
    show_text(f"export of {stored.id[:16]}", export_text(summary))
    return summary


def _formats(classifier: Classifier, parameters: ExportParameters) -> list[ExportFormat]:
    """Return the formats that are asked for, or all that there are for the run's backbone."""
    if "format" not in parameters.explicit:
        return possible_formats(classifier.recipe)
    check_formats(classifier, parameters.format)  # now, and not after the images are predicted
    return parameters.format


def _expected(
    run: Run, manifest: Manifest, classifier: Classifier, parameters: ExportParameters
) -> list[tuple[Path, Prediction]]:
    """Return the run's validation images with its classifier's predictions, as stored.

    An exported model turns no photograph.
    """
    stored = RunStore(parameters.store).predictions(run.id)
    keys = set(stored.filter(pc.equal(stored["split"], "validation"))["key"].to_pylist())
    paths = images_of(manifest, keys)
    announce(len(paths), doing="predicting")
    predicted = list(
        zip(paths, predict(paths, classifier, batch_size=32, orientation="stored"), strict=True)
    )
    expected = [(path, one) for path, one in predicted if one.scores]
    if not expected:
        reason = "is in the data set any more"
        if predicted:
            path, first = predicted[0]
            reason = f"can be read ({path}: {first.reason})"
        raise InputError(
            f"run {run.id[:16]}: none of its validation images {reason}, so that an exported model "
            "could not be compared with it"
        )
    return expected


if __name__ == "__main__":
    command_line(export, export_text, needs_server=False)
