"""The figures of scores, whatever the target: classes, several labels, or a number."""

import numpy as np
from numpy.typing import NDArray

from stores.target_values import Targets
from stores.targets import Target
from tasks.evaluation.group_effect import Groups
from tasks.evaluation.label_metrics import label_metrics, mean_average_precision
from tasks.evaluation.metrics import accuracy, metrics_of
from tasks.evaluation.number_metrics import number_metrics


def figures_of(
    scores: NDArray[np.float64],
    targets: Targets,
    target: Target,
    *,
    kind: str,
    groups: Groups | None = None,
) -> dict[str, float]:
    """Return the metrics of scores (n, outputs) of a kind of head, by name.

    `targets` are as in `stores.targets.Targets`. The target's main figure is among them, except for
    labels that no image has. Numbers are their own scores, (n, 1).
    """
    if target == "labels":
        return label_metrics(scores, targets, kind=kind)
    if target == "number":
        return number_metrics(scores[:, 0], targets)
    return metrics_of(scores, targets, kind=kind, groups=groups)


def main_figure(scores: NDArray[np.float64], targets: Targets, target: Target) -> float | None:
    """Return the figure by which runs are compared (`stores.targets.MAIN_FIGURE`).

    That is the accuracy, the mean average precision (None where no image has a label), or the mean
    absolute error.
    """
    if target == "labels":
        return mean_average_precision(scores, targets)
    if target == "number":
        return float(np.abs(scores[:, 0] - targets).mean())
    return accuracy(scores, targets)
