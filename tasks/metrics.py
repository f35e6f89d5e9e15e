"""How well scores tell the classes apart: scikit-learn's metrics, and the calibration error."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.heads import find_kind

BINS = 15  # of the calibration error, as in Guo et al., 2017


def metrics_of(
    scores: NDArray[np.float64], labels: NDArray[np.int64], *, kind: str
) -> dict[str, float]:
    """Return the metrics of scores (n, classes) beside labels (n,), by name.

    Areas are the mean over the classes, each against the rest; a class without an image, or with
    nothing else, has none. log_loss and calibration_error are of probabilities only.
    """
    from sklearn.metrics import f1_score, log_loss, recall_score

    said = scores.argmax(axis=1)
    metrics = {
        "accuracy": accuracy(scores, labels),
        # scikit-learn's balanced_accuracy_score warns of a class that is only said.
        "balanced_accuracy": float(
            recall_score(labels, said, labels=np.unique(labels), average="macro")
        ),
        "macro_f1": float(f1_score(labels, said, average="macro", zero_division=0.0)),
    }
    metrics |= _areas(scores, labels)
    if find_kind(kind).scores == "probability":
        shares = scores / scores.sum(axis=1, keepdims=True)
        every = list(range(scores.shape[1]))
        metrics["log_loss"] = float(log_loss(labels, shares, labels=every))
        metrics["calibration_error"] = calibration_error(scores, labels)
    return metrics


def accuracy(scores: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Return the share of images whose largest score is their label's."""
    return float((scores.argmax(axis=1) == labels).mean())


class Bin(NamedTuple):
    """Images of which a head is about equally sure."""

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


def calibration_error(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Return the expected calibration error: how far confidence is from accuracy, on average.

    C. Guo et al., On Calibration of Modern Neural Networks, ICML 2017: over the bins, weighted by
    their images.
    """
    parts = reliability(probabilities, labels)
    off = sum(part.images * abs(part.accuracy - part.confidence) for part in parts)
    return off / len(labels)


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
