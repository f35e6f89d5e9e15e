"""Predicted images beside the training images of their run: a stage of the flow."""

from collections.abc import Sequence

from flows.parameters.runs import PredictParameters
from flows.summaries.predictions import NearestImage
from stores.features.store import FeatureStore
from stores.runs.store import RunStore
from tasks.datasets.folds import LEARNED_FROM
from tasks.errors import InputError
from tasks.export.load import ExportedModel
from tasks.inference.novelty import LEVEL, Novelty, Reference, Shift, run_reference
from tasks.inference.predict import Classifier, Prediction


def reference_stage(
    model: Classifier | ExportedModel, parameters: PredictParameters
) -> Reference | str:
    """Return what the images are compared with, or why there is nothing.

    Raises InputError where a level is asked for that cannot be had.
    """
    level = parameters.novelty
    asked = f"--novelty {level:g}: " if level else ""
    if isinstance(model, ExportedModel):
        if asked:
            raise InputError(
                f"{asked}an exported model has no features of its training images; predict by the "
                "run instead"
            )
        return ""
    features = FeatureStore(parameters.store, model.recipe)
    found = run_reference(RunStore(parameters.store), model.run, features)
    reason = found if isinstance(found, str) else found.too_few(level) if level else ""
    if asked and reason:
        raise InputError(f"{asked}{reason}")
    return found


def shift_of(
    predictions: Sequence[Prediction], reference: Reference | str, level: float | None
) -> tuple[Shift | None, str]:
    """Return how many images are unlike the training images, or why that is not known.

    Images that the run has learned from, or was chosen on, do not count.
    """
    if isinstance(reference, str):
        return None, reference
    level = level or LEVEL
    if reason := reference.too_few(level):
        return None, f"a level of {level:g} {reason}"
    new = [
        one.novelty.p_value for one in predictions if one.novelty and one.split not in LEARNED_FROM
    ]
    return (reference.shift(new, level) if new else None), ""


def nearest_images(found: Novelty) -> tuple[NearestImage, ...]:
    """Return the training images nearest to an image, for a summary."""
    return tuple(NearestImage(each.path, each.label, each.similarity) for each in found.nearest)
