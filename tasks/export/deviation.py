"""How far an exported model is from its run, on images that both predict."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stores.features.recipe import Precision
from stores.targets import Target
from tasks.evaluation.calibrated_targets import CalibratedLabels
from tasks.export.format_names import Scorer, Scores
from tasks.images.image_files import read_image
from tasks.inference.predict import Classifier, Prediction

TOLERANCE = 1e-3  # for probabilities; for margins and numbers, relative to `_unit`
# At int8 a change of a pixel by 1e-5, as another resizing makes, is rounded to other steps in each
# layer. MobileNetV2 with a logistic head on 300 photographs: scores 0.0008 apart in the mean, 0.03
# at most, and one other label.
INT8_TOLERANCE = 0.02  # of the mean over the images
INT8_LABELS = 0.01  # of the images
_BYTES_AT_ONCE = 32
_FLOAT32 = 1e-3  # of the largest number: finer than `TOLERANCE` of that, float32 is not


@dataclass(frozen=True)
class Deviation:
    """The deviation of an exported model from its run."""

    images: int
    labels_that_differ: int  # images of another class, or with another label; of a number 0
    # Of probabilities; of margins relative to the largest, of numbers to their deviation.
    largest_difference: float
    mean_difference: float  # over the images, of the largest of each
    precision: Precision = "float32"
    target: Target = "classes"

    @property
    def within_tolerance(self) -> bool:
        """Whether the model and the run predict the same."""
        if self.precision == "int8":
            few = self.labels_that_differ <= math.ceil(INT8_LABELS * self.images)
            return few and self.mean_difference <= INT8_TOLERANCE
        return not self.labels_that_differ and self.largest_difference <= TOLERANCE

    @property
    def expected(self) -> str:
        """The tolerance in words."""
        if self.precision != "int8":
            return f"expected at most {TOLERANCE:g}"
        labels = f", and other labels of {INT8_LABELS:.0%} of the images"
        return (
            f"{self.mean_difference:.2g} in the mean, expected at most {INT8_TOLERANCE:g} at int8"
            f"{'' if self.target == 'number' else labels}"
        )

    def in_words(self) -> str:
        """Return on how many images the model differs from the run, and by how much."""
        images, apart = f"{self.images} validation images", f"{self.largest_difference:.2g}"
        if self.target == "number":
            return f"{images}, with numbers up to {apart} of their standard deviation apart"
        return f"{self.labels_that_differ} of {images}, with scores up to {apart} apart"


def deviation_of(
    scorer: Scorer, expected: Sequence[tuple[Path, Prediction]], classifier: Classifier
) -> Deviation:
    """Return the deviation of a model from what its run predicts, by the bytes of the images.

    What TensorFlow does not decode is compared by its decoded pixels.
    """
    from tasks.images.decoding import for_tensorflow

    wanted = np.array([prediction.scores for _, prediction in expected])
    received = np.concatenate(
        [
            scorer(
                [
                    for_tensorflow(read_image(path))
                    for path, _ in expected[start : start + _BYTES_AT_ONCE]
                ]
            )
            for start in range(0, len(expected), _BYTES_AT_ONCE)
        ]
    )
    unit, finite = _unit(wanted, classifier), np.isfinite(wanted)
    apart = np.where(finite, np.abs(received - np.where(finite, wanted, 0)), 0) / unit
    each = apart.max(axis=1)
    return Deviation(
        len(expected),
        int(_answers_differ(received, wanted, unit, classifier).sum()),
        float(each.max()),
        float(each.mean()),
        classifier.recipe.compute_precision,
        classifier.target,
    )


def _unit(wanted: Scores, classifier: Classifier) -> float:
    """Return by what differences of scores are divided."""
    if classifier.scores == "probability":
        return 1.0
    largest = float(np.abs(wanted[np.isfinite(wanted)]).max()) or 1.0
    if classifier.target == "number":
        return max(float(wanted.std()), _FLOAT32 * largest)
    return largest


def _answers_differ(
    received: Scores, wanted: Scores, unit: float, classifier: Classifier
) -> NDArray[np.bool_]:
    """Return whether each image has another class, or another label, (n,)."""
    found = classifier.calibrated
    if classifier.target == "number":
        return np.zeros(len(wanted), np.bool_)
    if isinstance(found, CalibratedLabels):
        # A threshold may be next to a score, and no rounding is a difference.
        clear = np.abs(wanted - found.thresholds) > TOLERANCE * unit
        return np.asarray((clear & (found.has(received) != found.has(wanted))).any(axis=1))
    return np.asarray(received.argmax(axis=1) != wanted.argmax(axis=1))
