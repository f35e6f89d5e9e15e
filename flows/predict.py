"""Predict: `python -m flows.predict RUN-OR-MODEL IMAGE-OR-FOLDER-OR-DATASET…`.

Command 8: Predict the classes, labels or numbers of images.

Example:
    >>> gargalo.predict(result.run, ["new/1.jpg", "new/2.jpg"]).predictions
"""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from flows.artifacts import run_name, show_text
from flows.cli.command_line import command_line
from flows.cli.progress import announce
from flows.orchestration.served_flow import flow
from flows.parameters.runs import PredictParameters
from flows.stages.compared import reference_stage, shift_of
from flows.stages.predicted import (
    captions,
    counts_of,
    intervals_of,
    numbers_of,
    predicted_image,
    sets_of,
    without_label,
)
from flows.summaries.predictions import InDataset, PredictSummary
from flows.text.predictions import predict_text
from stores.runs.store import RunStore
from stores.storage.location import StoreLike
from tasks.datasets.find_images import FoundImages, find_images
from tasks.errors import InputError
from tasks.evaluation.costs import costs_of
from tasks.execution.output_paths import check_output
from tasks.export.load import ExportedModel, load_exported, predict_by
from tasks.inference.captioned_grid import GRID_ENDINGS, grid
from tasks.inference.novelty import Reference
from tasks.inference.predict import Classifier, Prediction, load_classifier
from tasks.inference.predict import predict as predict_images
from tasks.inference.predicted_test_images import (
    dataset_images,
    record_test_images,
    with_paths,
    with_splits,
)
from tasks.inference.prediction_columns import as_table
from tasks.inference.probabilities import Rule, coverage_rule, not_calibrated, with_probabilities
from tasks.inference.table_files import ENDINGS, write_bytes, write_table


@flow(name="predict", flow_run_name=run_name)
def predict(
    model: str,
    images: tuple[Path, ...],
    *,
    parameters: PredictParameters = PredictParameters(),
) -> PredictSummary:
    """Predict what images show, by a run or by an exported model.

    Args:
        model: Id of a run, or the beginning of it; or a folder that flows.export wrote.
        images: Image files, folders of them, and names of data sets in the store.
        parameters: Where runs are kept, and what is written.
    """
    parameters.read_through_layers()
    for output, endings in ((parameters.output, ENDINGS), (parameters.grid, GRID_ENDINGS)):
        if output:
            check_output(output, endings=endings)
    found = find_images(images, store=parameters.store)
    paths = found.paths
    classifier = find_model(model, parameters)
    rule = rule_of(classifier, parameters)
    costs = costs_of(parameters.cost, classifier.classes, classifier.target)
    reference = reference_stage(classifier, parameters)
    announce(len(paths), doing="predicting")
    began = time.perf_counter()
    predictions = list(_predictions(found, classifier, parameters, reference))
    seconds = time.perf_counter() - began
    likely = predictions
    predictions = with_probabilities(
        likely, classifier.calibrated, classes=classifier.classes, rule=rule, costs=costs
    )
    otherwise = sum(a.predicted != b.predicted for a, b in zip(likely, predictions, strict=True))
    predictions, in_its_dataset = _compared_with_dataset(predictions, classifier, parameters.store)
    if parameters.output:
        about = (classifier.classes, classifier.target, classifier.separator)
        write_table(as_table(predictions, *about), parameters.output)
    if parameters.grid:
        captioned = captions(paths, predictions)
        write_bytes(grid(captioned, classifier.orientation), parameters.grid)
    usable = [image for image in predictions if image.scores]
    shift, not_compared = shift_of(usable, reference, parameters.novelty)
    summary = PredictSummary(
        model=model,
        seconds=round(seconds, 3),
        images=len(predictions),
        counts=counts_of(usable, classifier),
        cached=sum(image.cached for image in usable),
        computed=sum(not image.cached for image in usable),
        rejected=len(predictions) - len(usable),
        predictions=tuple(
            predicted_image(one, classifier, parameters.novelty) for one in predictions
        ),
        not_calibrated=not_calibrated(classifier.calibrated),
        target=classifier.target,
        shift=shift,
        not_compared=not_compared,
        in_its_dataset=in_its_dataset,
        passed_over=found.passed_over,
        output=str(parameters.output) if parameters.output else None,
        grid=str(parameters.grid) if parameters.grid else None,
        sets=sets_of(usable, rule),
        without_label=without_label(usable, classifier),
        numbers=numbers_of(usable, classifier),
        intervals=intervals_of(rule),
        changed_by_costs=otherwise if costs else None,
    )
    show_text(f"predict by {model}", predict_text(summary))
    return summary


def find_model(model: str, parameters: PredictParameters) -> Classifier | ExportedModel:
    """Return the exported model at a place where something is, else the run of that id."""
    if Path(model).exists():
        return load_exported(Path(model))
    return load_classifier(
        RunStore(parameters.store).read(model),
        store=parameters.store,
        weights=parameters.weights,
        engine=parameters.engine,
    )


def _predictions(
    found: FoundImages,
    model: Classifier | ExportedModel,
    parameters: PredictParameters,
    reference: Reference | str,
) -> Iterator[Prediction]:
    if isinstance(model, ExportedModel):
        return predict_by(found.paths, model)
    return predict_images(
        found.paths,
        model,
        batch_size=parameters.batch_size,
        known=found.known,
        reference=reference if isinstance(reference, Reference) else None,
    )


def _compared_with_dataset(
    predictions: list[Prediction], model: Classifier | ExportedModel, store: StoreLike
) -> tuple[list[Prediction], InDataset | None]:
    """Return predictions with their splits in the run's data set, and how many are of each.

    Those of test images are recorded where their labels are at hand. None for an exported model.
    """
    if isinstance(model, ExportedModel):
        return predictions, None
    images = dataset_images(model.run, store=store)
    predictions = with_paths(with_splits(predictions, images), images)
    counts = Counter(image.split for image in predictions)
    return predictions, InDataset(
        dataset=model.run.dataset,
        in_store=images.manifest is not None,
        train=counts["train"],
        validation=counts["validation"],
        test=counts["test"],
        recorded=record_test_images(predictions, images, model.run, store=store),
    )


def rule_of(model: Classifier | ExportedModel, parameters: PredictParameters) -> Rule | None:
    """Return the rule of the coverage that is asked for; raises InputError where there is none."""
    if parameters.coverage is None:
        return None
    if model.target == "number" and "sets" in parameters.explicit:
        raise InputError(
            f"--sets {parameters.sets}: the model predicts a number, which has an interval and no "
            "set of classes; leave it out"
        )
    return coverage_rule(
        model.calibrated,
        model.classes,
        parameters.coverage,
        kind=parameters.sets,
        by=parameters.coverage_by,
    )


def nothing_predicted(summary: PredictSummary) -> bool:
    """Return whether not one image could be used."""
    return summary.rejected == summary.images


if __name__ == "__main__":
    command_line(predict, predict_text, failed=nothing_predicted, needs_server=False)
