"""The agreement of two computations of the same features, and the project's tolerances."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stores.features.recipe import Precision

# Measured differences between engines and versions: up to 2.6e-6 of the largest feature.
RELATIVE_TOLERANCE = 2e-5
SMALLEST_COSINE = 0.99999
# float16 has 11 bits: rounding changes a value by up to 2**-11 of itself.
FLOAT16_TOLERANCE = 1e-3
# bfloat16 has 8 bits in each of some 50 layers, so that this finds only large errors. The largest
# difference depends on single values: 0.10 to 0.19 for MobileNetV2 on batches of photographs. The
# mean over the rows is stable: 0.08 there, 0.04 for EfficientNet-Lite0, at most 0.16 on any images.
# Wrong images, or swapped colour channels, give 0.23 to 0.66.
BFLOAT16_TOLERANCE = 0.2
# A quantised model is compared with its own rows, not with float32, from which it differs as much
# as wrong images do: 0.25 for MobileNetV2, 0.12 for EfficientNet-Lite0. Pixels that change by 1e-5
# change MobileNetV2's rows by 0.025, for each rounding to a step is passed on; by 1e-4, by 0.044.
# What other CPUs give is an assumption: only one was there to be measured.
INT8_TOLERANCE = 0.1
_COARSE = {"bfloat16": BFLOAT16_TOLERANCE, "int8": INT8_TOLERANCE}
# Rows that are computed again for a comparison: enough to find large errors, and fast.
COMPARED_ROWS = 16


@dataclass(frozen=True)
class Agreement:
    """The difference between two arrays of features."""

    largest_difference: float  # max |Δ|, in units of max |feature|
    mean_difference: float  # the mean over the rows of ‖Δ‖ / ‖feature‖
    smallest_cosine: float  # cosine similarity of corresponding rows
    rows: int
    precision: Precision
    tolerance: float  # of the mean difference below float32, else of the largest

    @property
    def excess(self) -> float:
        """The relevant difference, in units of the tolerance."""
        coarse = self.precision in _COARSE
        return (self.mean_difference if coarse else self.largest_difference) / self.tolerance

    @property
    def within_tolerance(self) -> bool:
        """Whether both arrays are the same features."""
        aligned = self.precision in _COARSE or self.smallest_cosine >= SMALLEST_COSINE
        return self.excess <= 1 and aligned


def agreement(
    expected: NDArray[np.floating],
    actual: NDArray[np.floating],
    *,
    precision: Precision = "float32",
) -> Agreement:
    """Compare features (n, *shape) with others of the same images.

    `precision` is that of the computation, which may be lower than that of the arrays. Raises
    ValueError for different shapes.
    """
    if expected.shape != actual.shape or not len(expected):
        raise ValueError(f"features of shapes {expected.shape} and {actual.shape}, or none")
    tolerance = FLOAT16_TOLERANCE if expected.dtype == np.float16 else RELATIVE_TOLERANCE
    tolerance = _COARSE.get(precision, tolerance)
    a, b = (np.asarray(x, np.float64).reshape(len(x), -1) for x in (expected, actual))
    # Two rows of zeros agree; a row of zeros and another row do not.
    same = np.all(a == b, axis=1)
    lengths = np.linalg.norm(a, axis=1)
    norms = lengths * np.linalg.norm(b, axis=1)
    cosines = np.where(same, 1.0, (a * b).sum(axis=1) / np.where(norms > 0, norms, 1.0))
    apart = np.linalg.norm(a - b, axis=1) / np.where(lengths > 0, lengths, 1.0)
    largest = float(np.abs(a).max())
    return Agreement(
        largest_difference=float(np.abs(a - b).max()) / (largest or 1.0),
        mean_difference=float(np.where(same, 0.0, np.where(lengths > 0, apart, 1.0)).mean()),
        smallest_cosine=float(cosines.min()),
        rows=len(a),
        precision=precision,
        tolerance=tolerance,
    )


def difference_in_words(figures: Mapping[str, Any]) -> str:
    """Return the figures of an agreement (its fields, by name) as text."""
    expected = f"expected at most {figures['tolerance']:g}"
    if figures.get("precision") in _COARSE:
        return f"mean difference {figures['mean_difference']:.2g} of a row's norm, {expected}"
    return (
        f"largest difference {figures['largest_difference']:.1e} of the largest feature, {expected}"
    )
