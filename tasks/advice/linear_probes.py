"""Linear probes: how well a linear classifier tells classes apart by the features of one layer.

As in G. Alain and Y. Bengio, Understanding intermediate layers using linear classifier probes,
2016: what a layer's features say plainly, as measured on images that the probe has not learned.
"""

import warnings
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tasks.execution.cancellation import stop_if_requested

Labels = NDArray[np.int64]  # (n,), as indices of the classes
Folds = NDArray[np.int64]  # (n,), the fold that holds an image out

# Of the ridge, for standardised features: narrow early layers want little, a wide output hundreds.
# Which it is, is chosen by leaving out one image at a time among those that are learned.
PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0, 10_000.0)
PERMUTATIONS = 2000


def probe(features: NDArray[np.floating], labels: Labels, folds: Folds) -> Labels:
    """Return the class that a ridge classifier says of each image, which it has not learned.

    Features (n, numbers) are standardised by what is learned; classes count alike, however many
    images they have.
    """
    from sklearn.linear_model import RidgeClassifierCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    said = np.empty_like(labels)
    for learned, held_out in _parts(folds):
        stop_if_requested()
        ridge = RidgeClassifierCV(alphas=PENALTIES, class_weight="balanced")
        with warnings.catch_warnings():
            # Of fewer images than numbers, which the penalty is there for.
            warnings.filterwarnings("ignore", message=".*ill-conditioned", category=UserWarning)
            fitted = make_pipeline(StandardScaler(), ridge).fit(features[learned], labels[learned])
        said[held_out] = fitted.predict(features[held_out])
    return said


def said_by_answers(answers: Labels, labels: Labels, folds: Folds) -> Labels:
    """Return for each image the class that most often goes with another classifier's answer.

    Counted among the images of other folds, in shares of their classes; where no image of these has
    that answer, it is the first class.
    """
    said = np.empty_like(labels)
    for learned, held_out in _parts(folds):
        counts = np.zeros((int(answers.max()) + 1, int(labels.max()) + 1))
        np.add.at(counts, (answers[learned], labels[learned]), 1.0)
        shares = counts / np.maximum(counts.sum(axis=0), 1.0)
        said[held_out] = shares[answers[held_out]].argmax(axis=1)
    return said


def mean_recall(said: Labels, labels: Labels) -> float:
    """Return the accuracy within each class, averaged over classes; by chance it is 1 / classes."""
    right = np.bincount(labels, weights=said == labels)
    images = np.bincount(labels)
    return float((right[images > 0] / images[images > 0]).mean())


def chance(said: Labels, labels: Labels, *, seed: int = 0) -> float:
    """Return how likely so high a mean recall is where labels have nothing to do with the images.

    The p-value of a permutation test: the labels are dealt anew, PERMUTATIONS times.
    """
    rng = np.random.default_rng(seed)
    found = mean_recall(said, labels)
    as_good = sum(mean_recall(said, rng.permutation(labels)) >= found for _ in range(PERMUTATIONS))
    return (as_good + 1) / (PERMUTATIONS + 1)


def _parts(folds: Folds) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    for number in np.unique(folds):
        yield folds != number, folds == number
