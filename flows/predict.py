"""Predict: `python -m flows.predict RUN-OR-MODEL IMAGE-OR-FOLDER…`."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from flows.artifacts import run_name, show_told
from flows.cli.command_line import Summary, command_line
from flows.cli.progress import announce
from flows.orchestration.served_flow import flow
from flows.parameters.runs import PredictParameters
from flows.text.predictions import tell_predict
from stores.manifest import SPLITS
from stores.runs.store import RunStore
from tasks.datasets.find_images import find_images
from tasks.execution.output_paths import check_output
from tasks.export.load import ExportedModel, load_exported, predict_by
from tasks.inference.captioned_grid import GRID_ENDINGS, grid
from tasks.inference.predict import Classifier, Prediction, as_table, load_classifier
from tasks.inference.predict import predict as predict_images
from tasks.inference.predicted_test_images import dataset_images, record_test_images, with_splits
from tasks.inference.table_files import ENDINGS, write_bytes, write_table


@flow(name="predict", flow_run_name=run_name)
def predict(
    model: str,
    images: tuple[Path, ...],
    *,
    parameters: PredictParameters = PredictParameters(),
) -> Summary:
    """Say what images show, by a run or by an exported model.

    Args:
        model: Id of a run, or the beginning of it; or what flows.export wrote.
        images: Image files, and folders of them.
        parameters: Where runs are kept, and what is written.
    """
    parameters.read_through_layers()
    _check_outputs(parameters)
    found = find_images(images)
    paths = found.paths
    classifier = find_model(model, parameters)
    announce(len(paths), doing="predicting")
    began = time.perf_counter()
    said = list(_predictions(paths, classifier, parameters))
    seconds = time.perf_counter() - began
    said, in_its_dataset = _compared_with_dataset(said, classifier, parameters.store)
    if parameters.output:
        table = as_table(said, classifier.classes, classifier.scores)
        write_table(table, parameters.output)
    if parameters.grid:
        write_bytes(grid(_captions(paths, said, classifier.scores)), parameters.grid)
    summary = {
        "model": model,
        "seconds": round(seconds, 3),
        **_summary(said, classifier.classes),
        "in_its_dataset": in_its_dataset,
        "passed_over": found.passed_over,
        "output": str(parameters.output) if parameters.output else None,
        "grid": str(parameters.grid) if parameters.grid else None,
    }
    show_told(f"predict by {model}", tell_predict(summary))
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
    paths: Sequence[Path], model: Classifier | ExportedModel, parameters: PredictParameters
) -> Iterator[Prediction]:
    if isinstance(model, ExportedModel):
        return predict_by(paths, model)
    return predict_images(paths, model, batch_size=parameters.batch_size)


def _compared_with_dataset(
    said: list[Prediction], model: Classifier | ExportedModel, store: Path
) -> tuple[list[Prediction], Summary | None]:
    """Return predictions with their splits in the run's data set, and how many are of each.

    Those of test images are recorded where their labels are at hand. None for an exported model.
    """
    if isinstance(model, ExportedModel):
        return said, None
    images = dataset_images(model.run, store=store)
    said = with_splits(said, images)
    counts = Counter(told.split for told in said if told.split)
    return said, {
        "dataset": model.run.dataset,
        "in_store": images.manifest is not None,
        **{split: counts[split] for split in SPLITS},
        "recorded": record_test_images(said, images, model.run, store=store),
    }


def _check_outputs(parameters: PredictParameters) -> None:
    if parameters.output:
        check_output(parameters.output, endings=ENDINGS)
    if parameters.grid:
        check_output(parameters.grid, endings=GRID_ENDINGS)


def _captions(
    paths: Sequence[Path], said: Sequence[Prediction], scores: str
) -> list[tuple[Path, str]]:
    form = ".1%" if scores == "probability" else ".2f"
    return [
        (path, f"{told.predicted} {told.score or 0.0:{form}}")
        for path, told in zip(paths, said, strict=True)
        if told.predicted
    ]


def _summary(said: Sequence[Prediction], classes: Sequence[str]) -> Summary:
    good = [told for told in said if told.predicted]
    counts = Counter(told.predicted for told in good)
    return {
        "images": len(said),
        "counts": {name: counts[name] for name in classes},
        "cached": sum(told.cached for told in good),
        "computed": sum(not told.cached for told in good),
        "rejected": len(said) - len(good),
        "predictions": [
            {
                "path": told.path,
                "predicted": told.predicted,
                "score": told.score,
                "reason": told.reason,
                "split": told.split or None,
            }
            for told in said
        ],
    }


def nothing_said(summary: Summary) -> bool:
    """Tell whether not one image could be used."""
    return bool(summary["rejected"] == summary["images"])


if __name__ == "__main__":
    command_line(predict, tell_predict, failed=nothing_said, needs_server=False)
