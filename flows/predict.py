"""Predict: `python -m flows.predict RUN-OR-MODEL IMAGE-OR-FOLDER-OR-DATASET…`.

Command 8: Predict the classes of images.

Example:
    >>> gargalo.predict(result.run, ["new/1.jpg", "new/2.jpg"]).predictions
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from flows.artifacts import run_name, show_text
from flows.cli.command_line import command_line
from flows.cli.progress import announce
from flows.orchestration.served_flow import flow
from flows.parameters.runs import PredictParameters
from flows.stages.compared import nearest_images, reference_stage, shift_of
from flows.summaries.predictions import InDataset, PredictedImage, PredictSummary, Sets
from flows.text.predictions import predict_text
from stores.runs.store import RunStore
from stores.storage.location import StoreLike
from tasks.datasets.find_images import FoundImages, find_images
from tasks.errors import InputError
from tasks.evaluation.prediction_sets import SetRule, set_rule
from tasks.execution.output_paths import check_output
from tasks.export.load import ExportedModel, load_exported, predict_by
from tasks.inference.captioned_grid import GRID_ENDINGS, grid
from tasks.inference.novelty import Reference
from tasks.inference.predict import Classifier, Prediction, as_table, load_classifier
from tasks.inference.predict import predict as predict_images
from tasks.inference.predicted_test_images import (
    dataset_images,
    record_test_images,
    with_paths,
    with_splits,
)
from tasks.inference.probabilities import with_probabilities
from tasks.inference.table_files import ENDINGS, write_bytes, write_table


@flow(name="predict", flow_run_name=run_name)
def predict(
    model: str,
    images: tuple[Path, ...],
    *,
    parameters: PredictParameters = PredictParameters(),
) -> PredictSummary:
    """Predict the classes of images, by a run or by an exported model.

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
    reference = reference_stage(classifier, parameters)
    announce(len(paths), doing="predicting")
    began = time.perf_counter()
    predictions = list(_predictions(found, classifier, parameters, reference))
    seconds = time.perf_counter() - began
    calibration = classifier.calibrated.calibration
    predictions = with_probabilities(
        predictions, calibration, classes=classifier.classes, rule=rule
    )
    predictions, in_its_dataset = _compared_with_dataset(predictions, classifier, parameters.store)
    if parameters.output:
        write_table(as_table(predictions, classifier.classes), parameters.output)
    if parameters.grid:
        captioned = _captions(paths, predictions)
        write_bytes(grid(captioned, classifier.orientation), parameters.grid)
    usable = [image for image in predictions if image.predicted]
    shift, not_compared = shift_of(usable, reference, parameters.novelty)
    counts = Counter(image.predicted for image in usable)
    summary = PredictSummary(
        model=model,
        seconds=round(seconds, 3),
        images=len(predictions),
        counts={name: counts[name] for name in classifier.classes},
        cached=sum(image.cached for image in usable),
        computed=sum(not image.cached for image in usable),
        rejected=len(predictions) - len(usable),
        predictions=tuple(
            PredictedImage(
                path=one.path,
                predicted=one.predicted,
                probability=one.probability,
                reason=one.reason,
                split=one.split or None,
                set=one.set,
                unsure=one.unsure,
                novelty=one.novelty.p_value if one.novelty else None,
                nearest=nearest_images(one.novelty) if one.novelty else (),
                unlike=one.unlike(parameters.novelty),
            )
            for one in predictions
        ),
        not_calibrated=calibration.why_not,
        sets=_sets(usable, rule) if rule else None,
        shift=shift,
        not_compared=not_compared,
        in_its_dataset=in_its_dataset,
        passed_over=found.passed_over,
        output=str(parameters.output) if parameters.output else None,
        grid=str(parameters.grid) if parameters.grid else None,
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


def rule_of(model: Classifier | ExportedModel, parameters: PredictParameters) -> SetRule | None:
    """Return the rule of the sets that are asked for; raises InputError where it cannot be had."""
    if parameters.coverage is None:
        return None
    found = model.calibrated
    if not len(found.held_out.labels):
        raise InputError(
            f"--coverage {parameters.coverage:g}: no held-out images to calibrate by: "
            f"{found.calibration.why_not}"
        )
    return set_rule(
        found.held_out,
        model.classes,
        parameters.coverage,
        kind=parameters.sets,
        by=parameters.coverage_by,
    )


def _sets(predictions: Sequence[Prediction], rule: SetRule) -> Sets:
    sizes = [len(one.set or ()) for one in predictions]
    empty, several = sizes.count(0), sum(size > 1 for size in sizes)
    return Sets(
        coverage=rule.coverage,
        kind=rule.kind,
        by=rule.by,
        held_out_images=rule.images,
        unsure=empty + several,
        several=several,
        empty=empty,
        mean_size=sum(sizes) / max(1, len(sizes)),
    )


def _captions(paths: Sequence[Path], predictions: Sequence[Prediction]) -> list[tuple[Path, str]]:
    return [
        (path, f"{image.predicted} {image.probability or 0.0:.1%}{' unsure' * bool(image.unsure)}")
        for path, image in zip(paths, predictions, strict=True)
        if image.predicted
    ]


def nothing_predicted(summary: PredictSummary) -> bool:
    """Return whether not one image could be used."""
    return summary.rejected == summary.images


if __name__ == "__main__":
    command_line(predict, predict_text, failed=nothing_predicted, needs_server=False)
