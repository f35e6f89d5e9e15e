"""How well scores tell which labels images have: scikit-learn's metrics for several labels."""

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation.label_thresholds import natural_threshold
from tasks.heads import find_kind


def label_metrics(
    scores: NDArray[np.float64], truth: NDArray[np.int64], *, kind: str
) -> dict[str, float]:
    """Return the metrics of scores (n, labels) beside truth (n, labels), 0 or 1, by name.

    The mean average precision and the macro F1 are means over the labels that an image has; without
    any there are none. F1 and exact match are at the natural thresholds of a `kind` of head. The
    log loss, of probabilities only, is the mean over all images and labels.
    """
    from sklearn.metrics import accuracy_score, f1_score, log_loss

    if not len(truth):
        return {}
    scores_are = find_kind(kind).scores
    predicted = (scores >= natural_threshold(scores_are)).astype(np.int64)
    metrics: dict[str, float] = {}
    mean = mean_average_precision(scores, truth)
    if mean is not None:
        metrics["mean_average_precision"] = mean
        metrics["macro_f1"] = macro_f1(predicted, truth)
    f1 = f1_score(truth.ravel(), predicted.ravel(), zero_division=0.0)  # of all answers
    metrics |= {"micro_f1": float(f1), "exact_match": float(accuracy_score(truth, predicted))}
    if scores_are == "probability":
        shares = np.clip(scores, 0.0, 1.0).ravel()
        metrics["log_loss"] = float(log_loss(truth.ravel(), shares, labels=[0, 1]))
    return metrics


def average_precisions(
    scores: NDArray[np.float64], truth: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the average precision of each label, (labels,); NaN for one that no image has."""
    from sklearn.metrics import average_precision_score

    finite, found = np.nan_to_num(scores), np.full(truth.shape[1], np.nan)
    for number in np.flatnonzero(truth.any(axis=0)):
        found[number] = average_precision_score(truth[:, number], finite[:, number])
    return found


def mean_average_precision(scores: NDArray[np.float64], truth: NDArray[np.int64]) -> float | None:
    """Return the mean average precision over the labels that an image has; None without any."""
    found = average_precisions(scores, truth)
    return None if np.isnan(found).all() else float(np.nanmean(found))


def macro_f1(predicted: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """Return the mean F1 over the labels that an image has."""
    from sklearn.metrics import f1_score

    # One by one: a single column would be taken for two classes.
    some = np.flatnonzero(truth.any(axis=0))
    return float(np.mean([f1_score(truth[:, n], predicted[:, n]) for n in some]))
