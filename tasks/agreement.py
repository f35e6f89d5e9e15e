"""Do two computations of the same features agree? The tolerance of the whole project."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stores.recipe import Precision

# Measured between engines and versions: differences of up to 2.6e-6 of the largest feature.
RELATIVE_TOLERANCE = 2e-5
SMALLEST_COSINE = 0.99999
# float16 keeps 11 bits: rounding alone moves a value by up to 2**-11 of itself.
FLOAT16_TOLERANCE = 1e-3
# bfloat16 keeps 8 bits in each of some fifty layers: this finds gross mistakes only.
BFLOAT16_TOLERANCE = 0.1
BFLOAT16_SMALLEST_COSINE = 0.99
# Rows computed a second time to compare: enough for a gross mistake, and done in a moment.
COMPARED_ROWS = 16


@dataclass(frozen=True)
class Agreement:
    """How far two arrays of features are apart."""

    largest_difference: float  # max |Δ|, in units of max |feature|
    smallest_cosine: float  # of any row with its twin
    rows: int
    tolerance: float
    expected_cosine: float

    @property
    def within_tolerance(self) -> bool:
        """Whether they are the same features, computed twice."""
        return (
            self.largest_difference <= self.tolerance
            and self.smallest_cosine >= self.expected_cosine
        )


def agreement(
    expected: NDArray[np.floating],
    actual: NDArray[np.floating],
    *,
    precision: Precision = "float32",
) -> Agreement:
    """Compare features (n, *shape) with others of the same images; raises ValueError on shapes.

    `precision` is that of the computation, which may be less than that of the arrays.
    """
    if expected.shape != actual.shape or not len(expected):
        raise ValueError(f"features of shapes {expected.shape} and {actual.shape}, or none")
    tolerance = FLOAT16_TOLERANCE if expected.dtype == np.float16 else RELATIVE_TOLERANCE
    expected_cosine = SMALLEST_COSINE
    if precision == "bfloat16":
        tolerance, expected_cosine = BFLOAT16_TOLERANCE, BFLOAT16_SMALLEST_COSINE
    a, b = (np.asarray(x, np.float64).reshape(len(x), -1) for x in (expected, actual))
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    # Two rows of zeros agree; zeros and something else do not.
    same = np.all(a == b, axis=1)
    cosines = np.where(same, 1.0, (a * b).sum(axis=1) / np.where(norms > 0, norms, 1.0))
    largest = float(np.abs(a).max())
    return Agreement(
        largest_difference=float(np.abs(a - b).max()) / (largest or 1.0),
        smallest_cosine=float(cosines.min()),
        rows=len(a),
        tolerance=tolerance,
        expected_cosine=expected_cosine,
    )
