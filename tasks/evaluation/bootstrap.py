"""Bootstrap intervals of figures that are no share of images, as an average precision."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation.group_effect import Groups
from tasks.evaluation.split_result import wilson

DRAWS = 1000
FEWEST_DRAWS = 50
CONFIDENCE = 0.95
_CELLS_AT_ONCE = 2**20  # of draws and images, in memory
Weights = NDArray[np.float64]  # (draws, images): how often each draw has each image


@dataclass(frozen=True)
class Measured:
    """A figure with its 95% interval; None, None: of a single image, or group."""

    value: float
    low: float | None
    high: float | None


def weights_of(
    images: int, groups: Groups | None, *, draws: int = DRAWS, seed: int = 0
) -> Iterator[Weights]:
    """Yield draws of images with replacement, some at once; images of one group come together.

    As many are drawn as there are images, or groups. Without at least two of them there is no draw.
    """
    numbers = np.arange(images) if groups is None else np.unique(groups, return_inverse=True)[1]
    count = int(numbers.max()) + 1 if images else 0
    if count < 2:
        return
    rng = np.random.default_rng(seed)
    at_once = max(1, _CELLS_AT_ONCE // images)
    for done in range(0, draws, at_once):
        size = min(at_once, draws - done)
        drawn = rng.multinomial(count, np.full(count, 1 / count), size=size)
        yield drawn.astype(np.float64)[:, numbers]


def measured(
    value: float,
    of_weights: Callable[[Weights], NDArray[np.float64]],
    images: int,
    groups: Groups | None,
    *,
    draws: int = DRAWS,
) -> Measured:
    """Return a figure with its interval: `of_weights` gives it for each draw, NaN for none.

    The interval is the percentile interval: B. Efron and R. Tibshirani, An Introduction to the
    Bootstrap, Chapman & Hall 1993, chapter 13.
    """
    parts = [of_weights(weights) for weights in weights_of(images, groups, draws=draws)]
    return Measured(value, *interval(np.concatenate(parts) if parts else np.empty(0)))


def not_certain(found: Measured, worth: float) -> Measured:
    """Return a share of 1 with the interval of N right answers of N, by E. B. Wilson.

    Where all is right no draw has a mistake, however few images there are. `worth` is N.
    """
    if found.low != 1.0 or not worth:
        return found
    return Measured(found.value, wilson(worth, worth, confidence=CONFIDENCE)[0], found.high)


def interval(values: NDArray[np.float64]) -> tuple[float, float] | tuple[None, None]:
    """Return the 95% interval of the values of draws; None, None where no draw has one."""
    values = values[~np.isnan(values)]
    if not len(values):
        return None, None
    low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)
