"""The figures in a record: what no training and no evaluation gives is damage."""

import math
import re
from collections.abc import Mapping

# Of the last words of a metric's name; others are numbers, whatever they are.
_SHARES = re.compile(
    r"(^|_)(accuracy|macro_f1|micro_f1|exact_match|average_precision|roc_area|pr_area"
    r"|calibration_error)$"
)
_NOT_NEGATIVE = re.compile(r"(^|_)(loss|(absolute|squared)_error|calibration_error(_low|_high)?)$")
_ROUNDING = 1e-6  # of what was computed as float32


def check_figures(metrics: Mapping[str, float]) -> None:
    """Raise ValueError where a metric is none that can be: a share above 1, a loss below 0."""
    for name, value in metrics.items():
        least = 0.0 if _SHARES.search(name) or _NOT_NEGATIVE.search(name) else -math.inf
        most = 1.0 if _SHARES.search(name) else math.inf
        if not (math.isfinite(value) and least - _ROUNDING <= value <= most + _ROUNDING):
            expected = f"from {least:g} to {most:g}" if least == 0.0 else "a finite number"
            raise ValueError(f"{name} is {value:g}, expected {expected}")
