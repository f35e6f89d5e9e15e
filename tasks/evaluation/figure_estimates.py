"""What to expect of runs for several labels or a number, without the luck of their ranks.

As tasks.evaluation.comparison, whose figure is an accuracy, by the figures of these targets.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stores.targets import MAIN_FIGURE, Target
from tasks.evaluation.bootstrap import (
    DRAWS,
    FEWEST_DRAWS,
    Measured,
    Weights,
    interval,
    measured,
    not_certain,
    weights_of,
)
from tasks.evaluation.comparison import in_order_of
from tasks.evaluation.figures import main_figure
from tasks.evaluation.held_out_scores import Scored, independent_answers
from tasks.evaluation.weighted_figures import WeightedPrecision, weighted_mean

_MOST_CELLS = 10**9  # of draws, images, labels and runs: some seconds
OfWeights = Callable[[Weights], NDArray[np.float64]]


@dataclass(frozen=True)
class FigureEstimate:
    """A figure with its 95% interval, over N images; None, None: of a single image, or group."""

    figure: str
    value: float
    low: float | None
    high: float | None
    images: int


def figure_of(images: Scored, target: Target) -> float:
    """Return the main figure of a run's scores."""
    truth = images.truth.astype(np.int64) if target == "labels" else images.truth[:, 0]
    found = main_figure(images.scores, truth, target)
    return 0.0 if found is None else found  # no split without a label is evaluated


def figure_estimates_by_rank(runs: Sequence[Scored], target: Target) -> list[FigureEstimate]:
    """Estimate the main figure of the best of runs on the same images, the second best and so on.

    Each draw ranks the runs on images drawn with replacement, and measures each rank on those that
    were not drawn: see `tasks.evaluation.comparison.estimates_by_rank`. One run alone was not
    chosen: it has its own figure, with its bootstrap interval. How much better the figures of all
    runs are on the images left out is taken off, and no run is expected to be better than the best
    was. Of many runs, images and labels
    there are fewer draws, at least FEWEST_DRAWS.
    """
    figure, first = MAIN_FIGURE[target], runs[0]
    figures = [of_weights(images, target) for images in runs]
    count, draws = len(first.keys), _draws(runs)
    if len(runs) == 1:
        found = measured(figure_of(first, target), figures[0], count, first.groups, draws=draws)
        return [_estimate(figure.name, found, first, target)]
    sign = figure.order(1.0)  # so that the highest is best
    drawn = [
        _measured_by_rank(sign, figures, weights)
        for weights in weights_of(count, first.groups, draws=draws)
    ]
    ranked = np.concatenate([np.empty((0, len(runs))), *drawn])
    if not len(ranked):  # a single image, or group, or no draw has a label
        values = sorted((figure_of(images, target) for images in runs), key=lambda v: -sign * v)
        return [FigureEstimate(figure.name, value, None, None, count) for value in values]
    own = sign * np.array([figure_of(images, target) for images in runs])
    # An average precision of fewer images is higher, whatever the head: that is no head's merit.
    ranked = np.minimum(ranked - (ranked.mean() - own.mean()), 1.0 if target == "labels" else 0.0)
    values = sign * np.minimum(ranked.mean(axis=0), own.max())  # none is better than measured
    return [
        _estimate(figure.name, Measured(float(value), *interval(of_rank)), first, target)
        for value, of_rank in zip(values, sign * ranked.T, strict=True)
    ]


def _estimate(name: str, found: Measured, images: Scored, target: Target) -> FigureEstimate:
    if target == "labels":
        found = not_certain(found, independent_answers(images))
    value, low, high = found.value, found.low, found.high
    if low is not None and high is not None:  # a few draws may be far from all others
        low, high = min(low, value), max(high, value)
    return FigureEstimate(name, value, low, high, len(images.keys))


def _measured_by_rank(
    sign: float, figures: Sequence[OfWeights], weights: Weights
) -> NDArray[np.float64]:
    """Return the figure of each rank on the images that a draw left out, (draws, runs)."""
    left_out = (weights == 0).astype(np.float64)
    some = left_out.any(axis=1)
    seen, others = (
        sign * np.stack([one(part[some]) for one in figures], axis=1)
        for part in (weights, left_out)
    )
    whole = ~np.isnan(seen).any(axis=1) & ~np.isnan(others).any(axis=1)
    return in_order_of(seen[whole], others[whole])


def of_weights(images: Scored, target: Target) -> OfWeights:
    """Return what gives the main figure of each draw of a run's images, NaN for none."""
    if target == "labels":
        return WeightedPrecision(images.scores, images.truth)
    errors = np.abs(images.scores - images.truth)[:, 0]
    return lambda weights: weighted_mean(errors, weights)


def _draws(runs: Sequence[Scored]) -> int:
    cells = 2 * len(runs) * max(1, runs[0].truth.size)
    return max(FEWEST_DRAWS, min(DRAWS, _MOST_CELLS // cells))
