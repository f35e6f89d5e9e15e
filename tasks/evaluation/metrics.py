"""How well scores separate the classes: scikit-learn's metrics, and the calibration error."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation.group_effect import Groups, group_effect
from tasks.heads import find_kind

BINS = 15  # of the calibration error, as in Guo et al., 2017


def metrics_of(
    scores: NDArray[np.float64],
    labels: NDArray[np.int64],
    *,
    kind: str,
    groups: Groups | None = None,
) -> dict[str, float]:
    """Return the metrics of scores (n, classes) beside labels (n,), by name.

    Areas are the mean over the classes, each against the rest; a class without an image, or with
    nothing else, has none. log_loss and rms_calibration_error are of probabilities only. `groups`
    (n,) make the interval of the latter wider.
    """
    from sklearn.metrics import log_loss

    metrics = {"accuracy": accuracy(scores, labels), **by_class(scores.argmax(axis=1), labels)}
    metrics |= _areas(scores, labels)
    if find_kind(kind).scores == "probability":
        shares = scores / scores.sum(axis=1, keepdims=True)
        every = list(range(scores.shape[1]))
        metrics["log_loss"] = float(log_loss(labels, shares, labels=every))
        if error := calibration_error(scores, labels, groups):
            name = "rms_calibration_error"
            metrics |= {name: error.value, f"{name}_low": error.low, f"{name}_high": error.high}
    return metrics


def by_class(predicted: NDArray[np.int64], labels: NDArray[np.int64]) -> dict[str, float]:
    """Return the metrics in which each class counts the same, by name; none without an image."""
    from sklearn.metrics import f1_score, recall_score

    if not len(labels):
        return {}
    # scikit-learn's balanced_accuracy_score warns of a class that is only predicted.
    recall = recall_score(labels, predicted, labels=np.unique(labels), average="macro")
    f1 = f1_score(labels, predicted, average="macro", zero_division=0.0)
    return {"balanced_accuracy": float(recall), "macro_f1": float(f1)}


def accuracy(scores: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Return the share of images whose largest score is their label's."""
    return float((scores.argmax(axis=1) == labels).mean())


class Bin(NamedTuple):
    """Images that a head predicts with about the same confidence."""

    confidence: float  # the mean of theirs
    accuracy: float
    images: int


def reliability(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> list[Bin]:
    """Return accuracy beside confidence, in BINS equal bins of the confidence; no empty ones."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    bins = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    parts = [bins == number for number in np.unique(bins)]
    return [Bin(float(confidence[p].mean()), float(right[p].mean()), int(p.sum())) for p in parts]


class CalibrationError(NamedTuple):
    """How far confidence is from accuracy, with a 95% interval."""

    value: float
    low: float
    high: float


def calibration_error(
    probabilities: NDArray[np.float64],
    labels: NDArray[np.int64],
    groups: Groups | None = None,
    *,
    draws: int = 1000,
) -> CalibrationError | None:
    """Return the root mean square of accuracy less confidence over the bins, without its bias.

    Chance alone sets the accuracy of a few images off from their confidence: of 64 images of a
    perfectly calibrated head, the plain expected calibration error (C. Guo et al., On Calibration
    of Modern Neural Networks, ICML 2017) is 0.11. So the variance of each bin's accuracy is taken
    off its square: A. Kumar et al., Verified Uncertainty Calibration, NeurIPS 2019, section 4.2.
    The interval draws each bin's accuracy from its posterior by Jeffreys's prior, Beta(right + 1/2,
    wrong + 1/2), so that a bin that is all right is not taken for certain (L. Brown et al.,
    Interval Estimation for a Binomial Proportion, Statistical Science 16 (2001), 101-133). Squares
    are too large by the variance: that of the bins and that of the draws are taken off the lower
    end. A bin of one image has no variance and is left out; None where all have one. Images of one
    group count as many as they are worth.
    """
    parts = [part for part in reliability(probabilities, labels) if part.images > 1]
    if not parts:
        return None
    confidence, accuracies, images = (np.array(column) for column in zip(*parts, strict=True))
    effect = group_effect(probabilities.argmax(axis=1) == labels, groups)
    shares, images = images / images.sum(), images / effect
    right, others = images * accuracies, np.maximum(images - 1, 1 / effect)
    variances = accuracies * (1 - accuracies) / others
    found = float(shares @ (np.square(accuracies - confidence) - variances))
    posterior = right + 0.5, images - right + 0.5
    drawn = np.random.default_rng(0).beta(*posterior, size=(draws, len(parts)))
    low, high = np.quantile(np.square(drawn - confidence) @ shares, [0.025, 0.975])
    mean = posterior[0] / (images + 1)
    low -= 2 * shares @ (mean * (1 - mean) / (images + 2))
    ends = min(low, found), max(high, found)
    return CalibrationError(*(float(np.sqrt(max(0.0, square))) for square in (found, *ends)))


def _areas(scores: NDArray[np.float64], labels: NDArray[np.int64]) -> dict[str, float]:
    from sklearn.metrics import average_precision_score, roc_auc_score

    areas: dict[str, list[float]] = {"roc_area": [], "pr_area": []}
    finite = np.nan_to_num(scores, neginf=np.finfo(np.float64).min)  # a class nobody learned
    for number in range(scores.shape[1]):
        mine = labels == number
        if mine.any() and not mine.all():
            areas["roc_area"].append(float(roc_auc_score(mine, finite[:, number])))
            areas["pr_area"].append(float(average_precision_score(mine, finite[:, number])))
    return {name: float(np.mean(values)) for name, values in areas.items() if values}
