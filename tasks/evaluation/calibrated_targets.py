"""What held-out images say of a run's scores, for each target.

Of classes that is a calibration and how strange the true classes are; of several labels, a
calibration and thresholds; of a number, residuals.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stores.errors import CorruptStore
from stores.runs.record import Run
from stores.runs.store import RunStore
from tasks.evaluation.calibrated import Calibrated, calibrated_run, score_kind
from tasks.evaluation.held_out_scores import scored
from tasks.evaluation.label_calibration import LabelCalibration, calibrate_labels
from tasks.evaluation.label_thresholds import Thresholds, best_thresholds, natural_threshold
from tasks.evaluation.number_intervals import Residuals, residuals_of

# The class, the labels, or the number that is predicted for an image.
Predicted = str | tuple[str, ...] | float
# Relative: a score that is the threshold, as a share of neighbors, is so in float32, too.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class CalibratedLabels:
    """A calibration of several labels, and from which score on an image has a label.

    Thresholds (labels,) are of the scores as the head gives them. A larger score is more probable,
    so the labels are the same by thresholds of the probabilities.
    """

    calibration: LabelCalibration
    thresholds: Thresholds

    @property
    def lowest(self) -> Thresholds:
        """The least score of each label with which an image has it: its threshold, but rounded."""
        return self.thresholds - _ROUNDING * np.maximum(1, np.abs(self.thresholds))

    def has(self, scores: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return whether each image has each label, (n, labels), by its scores."""
        return np.asarray(scores >= self.lowest)


@dataclass(frozen=True)
class CalibratedNumber:
    """The residuals of held-out images, for intervals; `why_not` says why there are none."""

    residuals: Residuals
    why_not: str = ""


AnyCalibrated = Calibrated | CalibratedLabels | CalibratedNumber


def calibrated_target(runs: RunStore, run: Run) -> AnyCalibrated:
    """Return what the images that a run held out say of its scores.

    A run whose predictions are damaged still predicts, and is not calibrated.
    """
    if run.target == "classes":
        return calibrated_run(runs, run)
    outputs = len(run.classes)
    try:
        predictions = runs.predictions(run.id)
    except CorruptStore as error:
        return _nothing(run, str(error))
    found = scored(predictions, split="validation", outputs=outputs, folds=run.folds)
    if run.target == "number":
        why_not = "" if len(found.truth) else "the run has no held-out images"
        return CalibratedNumber(residuals_of(found.scores, found.truth, found.groups), why_not)
    kind = score_kind(run)
    thresholds = best_thresholds(found.scores, found.truth, natural=natural_threshold(kind))
    calibration = calibrate_labels(found.scores, found.truth, kind=kind)
    return CalibratedLabels(calibration, np.nan_to_num(thresholds))  # infinite: not in JSON


def answers(
    scores: NDArray[np.float64], classes: tuple[str, ...], calibrated: AnyCalibrated
) -> list[Predicted]:
    """Return what is predicted for images by their scores, (n, outputs)."""
    if isinstance(calibrated, CalibratedNumber):
        return [float(one) for one in scores[:, 0]]
    if isinstance(calibrated, CalibratedLabels):
        names = np.array(classes, object)
        return [tuple(names[row]) for row in calibrated.has(scores)]
    return [classes[n] for n in scores.argmax(axis=1)]


def _nothing(run: Run, why_not: str) -> AnyCalibrated:
    if run.target == "number":
        return CalibratedNumber(Residuals(np.empty(0)), why_not)
    kind = score_kind(run)
    natural = np.full(len(run.classes), natural_threshold(kind))
    return CalibratedLabels(LabelCalibration(kind, why_not=why_not), natural)
