"""Predictions as a summary has them, for each target: a stage of the flow."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from flows.stages.compared import nearest_images
from flows.summaries.predictions import Intervals, PredictedImage, PredictedNumbers, Sets
from flows.text.numbers import in_digits
from tasks.evaluation.number_intervals import IntervalRule
from tasks.evaluation.prediction_sets import SetRule
from tasks.export.load import ExportedModel
from tasks.inference.predict import Classifier, Prediction
from tasks.inference.probabilities import Rule


def predicted_image(
    one: Prediction, model: Classifier | ExportedModel, level: float | None
) -> PredictedImage:
    """Return one image's prediction, at a level of novelty."""
    each = dict(zip(model.classes, one.probabilities, strict=False))
    return PredictedImage(
        path=one.path,
        predicted=one.predicted,
        probability=one.probability,
        reason=one.reason,
        split=one.split or None,
        set=one.set,
        unsure=one.unsure,
        novelty=one.novelty.p_value if one.novelty else None,
        nearest=nearest_images(one.novelty) if one.novelty else (),
        unlike=one.unlike(level),
        probabilities=each if model.target == "labels" and one.scores else None,
        interval=one.interval,
    )


def counts_of(usable: Sequence[Prediction], model: Classifier | ExportedModel) -> dict[str, int]:
    """Return how many images are of each class, or have each label; nothing of a number."""
    if model.target == "number":
        return {}
    names = Counter[object]()
    for one in usable:
        names.update(one.predicted if isinstance(one.predicted, tuple) else [one.predicted])
    return {name: names[name] for name in model.classes}


def without_label(usable: Sequence[Prediction], model: Classifier | ExportedModel) -> int | None:
    """Return how many images have none of the labels; None for another target."""
    return sum(not one.predicted for one in usable) if model.target == "labels" else None


def numbers_of(
    usable: Sequence[Prediction], model: Classifier | ExportedModel
) -> PredictedNumbers | None:
    """Return what the predicted numbers are together; None without one, or for another target."""
    if model.target != "number" or not usable:
        return None
    found = np.array([one.predicted for one in usable], np.float64)
    return PredictedNumbers(float(found.mean()), float(found.min()), float(found.max()))


def sets_of(usable: Sequence[Prediction], rule: Rule | None) -> Sets | None:
    """Return what the sets of classes are together; None where none are asked for."""
    if not isinstance(rule, SetRule):
        return None
    sizes = [len(one.set or ()) for one in usable]
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


def intervals_of(rule: Rule | None) -> Intervals | None:
    """Return what the intervals of a number are; None where none are asked for."""
    if not isinstance(rule, IntervalRule):
        return None
    return Intervals(rule.coverage, rule.by, rule.images, 2 * rule.half_width)


def captions(paths: Sequence[Path], predictions: Sequence[Prediction]) -> list[tuple[Path, str]]:
    """Return the images that were predicted, each with what stands above its picture."""
    both = zip(paths, predictions, strict=True)
    return [(path, _caption(one)) for path, one in both if one.scores]


def _caption(one: Prediction) -> str:
    if isinstance(one.predicted, tuple):
        return ", ".join(one.predicted) or "none of the labels"
    if isinstance(one.predicted, float):
        ends = [in_digits(end) for end in one.interval or ()]
        return in_digits(one.predicted) + (f" ({' to '.join(ends)})" if ends else "")
    return f"{one.predicted} {one.probability or 0.0:.1%}{' unsure' * bool(one.unsure)}"
