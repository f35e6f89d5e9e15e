"""What an exported model's scores are, as `classes.json` has it: names, and what was held out.

Of classes there are `classes`; of several labels, `labels`, their `separator` and `thresholds`; of
a number, its name as `number`, and residuals. An earlier version, which knows classes only, finds
no `classes` then, and refuses the model.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from stores.targets import Target
from tasks.evaluation.calibrated import Calibrated
from tasks.evaluation.calibrated_targets import AnyCalibrated, CalibratedLabels, CalibratedNumber
from tasks.evaluation.calibration import ScoreKind
from tasks.evaluation.label_calibration import LabelCalibration
from tasks.evaluation.number_intervals import Residuals
from tasks.export import held_out_json
from tasks.inference.answer_names import free_separator
from tasks.inference.predict import Classifier


@dataclass(frozen=True)
class Outputs:
    """What a model predicts."""

    target: Target
    classes: tuple[str, ...]  # or labels; of a number, its name
    scores: str  # their kind: probability or margin, or number
    calibrated: AnyCalibrated
    separator: str = ""  # between several labels in a text


def as_json(classifier: Classifier) -> dict[str, Any]:
    """Return the entries of `classes.json` that say what the scores are."""
    found, names = classifier.calibrated, list(classifier.classes)
    if isinstance(found, Calibrated):
        own = {"classes": names, "scores": classifier.scores}
        return own | held_out_json.as_json(found)
    if isinstance(found, CalibratedNumber):
        every = max(1, -(-len(found.residuals.sizes) // held_out_json.MOST))
        groups = found.residuals.groups
        return {
            "target": "number",
            "number": names[0],
            "scores": classifier.scores,
            "residuals": found.residuals.sizes[::every].tolist(),
            "groups": None if groups is None else groups[::every].tolist(),
            "why_not": found.why_not,
        }
    one = found.calibration
    return {
        "target": "labels",
        "labels": names,
        "separator": classifier.separator,
        "scores": classifier.scores,
        "thresholds": found.thresholds.tolist(),
        "calibration": {
            "slope": one.slope,
            "offset": one.offset,
            "images": one.images,
            "why_not": one.why_not,
        },
    }


def from_json(about: dict[str, Any]) -> Outputs:
    """Read what `as_json` returned, or an earlier version wrote.

    Raises ValueError, TypeError or KeyError for anything else.
    """
    target, scores = about.get("target", "classes"), str(about["scores"])
    kind: ScoreKind = "probability" if scores == "probability" else "margin"
    if target == "classes":
        classes = tuple(map(str, about["classes"]))
        return Outputs(target, classes, scores, held_out_json.from_json(about, kind, len(classes)))
    if target == "number":
        return Outputs(target, (str(about["number"]),), "number", _number(about))
    if target != "labels":
        raise ValueError(f"target {target!r}")
    labels, separator = tuple(map(str, about["labels"])), str(about["separator"])
    thresholds = np.array(about["thresholds"], np.float64)
    if thresholds.shape != (len(labels),) or not np.isfinite(thresholds).all():
        raise ValueError(f"thresholds of {len(labels)} labels: {thresholds.shape}")
    if free_separator(labels, [separator]) != separator:
        raise ValueError(f"separator {separator!r}")
    told = dict(about["calibration"])
    calibration = LabelCalibration(
        kind,
        float(told["slope"]),
        float(told["offset"]),
        int(told["images"]),
        str(told["why_not"]),
    )
    return Outputs(target, labels, scores, CalibratedLabels(calibration, thresholds), separator)


def _number(about: dict[str, Any]) -> CalibratedNumber:
    sizes = np.array(about["residuals"], np.float64)
    groups = None if about["groups"] is None else np.array(about["groups"], np.int64)
    if sizes.ndim != 1 or not np.isfinite(sizes).all() or (sizes < 0).any():
        raise ValueError("residuals: expected a list of numbers that are not negative")
    if groups is not None and groups.shape != sizes.shape:
        raise ValueError(f"groups: {groups.shape}, residuals: {sizes.shape}")
    return CalibratedNumber(Residuals(sizes, groups), str(about["why_not"]))
