"""Linear probes: the accuracy of a linear classifier on the features of one layer.

As in G. Alain and Y. Bengio, Understanding intermediate layers using linear classifier probes,
2016; measured by cross-validation.
"""

import warnings
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tasks.execution.cancellation import stop_if_requested

Labels = NDArray[np.int64]  # (n,), as indices of the classes
Folds = NDArray[np.int64]  # (n,), the fold that holds an image out

# Of ridge regression on standardized features: narrow early layers need a small penalty, a wide
# output hundreds. It is chosen by leave-one-out cross-validation on the train images.
PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0, 10_000.0)
PERMUTATIONS = 2000


def probe(features: NDArray[np.floating], labels: Labels, folds: Folds) -> Labels:
    """Return the class of each image, predicted by a ridge classifier trained on the other folds.

    Features (n, values) are standardized by the train images, and classes have equal weights.
    """
    from sklearn.linear_model import RidgeClassifierCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    predicted = np.empty_like(labels)
    for learned, held_out in _parts(folds):
        stop_if_requested()
        ridge = RidgeClassifierCV(alphas=PENALTIES, class_weight="balanced")
        with warnings.catch_warnings():
            # With fewer images than values; the penalty solves that.
            warnings.filterwarnings("ignore", message=".*ill-conditioned", category=UserWarning)
            fitted = make_pipeline(StandardScaler(), ridge).fit(features[learned], labels[learned])
        predicted[held_out] = fitted.predict(features[held_out])
    return predicted


def classes_of_answers(answers: Labels, labels: Labels, folds: Folds) -> Labels:
    """Return for each image the most frequent class with the same answer of another classifier.

    Frequencies are counted in the other folds, as fractions of the classes. If no image there has
    the same answer, it is the first class.
    """
    predicted = np.empty_like(labels)
    for learned, held_out in _parts(folds):
        counts = np.zeros((int(answers.max()) + 1, int(labels.max()) + 1))
        np.add.at(counts, (answers[learned], labels[learned]), 1.0)
        shares = counts / np.maximum(counts.sum(axis=0), 1.0)
        predicted[held_out] = shares[answers[held_out]].argmax(axis=1)
    return predicted


def mean_recall(predicted: Labels, labels: Labels) -> float:
    """Return the recall averaged over classes; for random guessing it is 1 / classes."""
    right = np.bincount(labels, weights=predicted == labels)
    images = np.bincount(labels)
    return float((right[images > 0] / images[images > 0]).mean())


def chance(predicted: Labels, labels: Labels, *, seed: int = 0) -> float:
    """Return the p-value of a mean recall, by a permutation test with PERMUTATIONS permutations."""
    rng = np.random.default_rng(seed)
    found = mean_recall(predicted, labels)
    permuted = (mean_recall(predicted, rng.permutation(labels)) for _ in range(PERMUTATIONS))
    as_good = sum(recall >= found for recall in permuted)
    return (as_good + 1) / (PERMUTATIONS + 1)


def _parts(folds: Folds) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    for number in np.unique(folds):
        yield folds != number, folds == number
