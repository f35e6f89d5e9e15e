"""The features of reviewed images: where they are on a map, and which are similar to one."""

import numpy as np
from numpy.typing import NDArray

from stores.errors import MissingFeatures, NotInStore
from stores.features.store import FeatureStore
from stores.keys import Keys
from stores.runs.record import Run
from stores.runs.store import RunStore
from stores.storage.location import StoreLike
from tasks.errors import InputError
from tasks.evaluation.image_map import Points, maps
from tasks.evaluation.nearest import nearest
from tasks.evaluation.similar_pairs import unit
from tasks.features.vectors import vectors
from tasks.inference.novelty import run_reference
from tasks.review.images import Codes

METHODS = ("PCA", "t-SNE")
MOST_BY_TSNE = 3000  # images: minutes, where the processor has other work
_ROWS_AT_ONCE = 4096
SIMILAR = 100  # images that are shown of all


def features_of(store: StoreLike, fingerprint: str, keys: Keys) -> NDArray[np.float32] | None:
    """Return a vector an image, (n, numbers); None where they are not all in the store."""
    try:
        return vectors(FeatureStore.open(store, fingerprint), keys)
    except (NotInStore, MissingFeatures):
        return None


def map_of(features: NDArray[np.float32], method: str) -> Points:
    """Return the images' places in two dimensions, from 0 to 1, by a method."""
    if method == "t-SNE":
        if len(features) > MOST_BY_TSNE:
            raise InputError(
                f"t-SNE of {len(features):,} images: expected at most {MOST_BY_TSNE:,}; take PCA"
            )
        return maps(features).get("t-SNE", np.zeros((len(features), 2)))
    # scikit-learn's PCA copies all features, and divides by their variance, which may be 0.
    mean, size = features.mean(axis=0), features.shape[1]
    starts = range(0, len(features), _ROWS_AT_ONCE)
    covariance = np.zeros((size, size))
    for start in starts:
        some = features[start : start + _ROWS_AT_ONCE] - mean
        covariance += some.T @ some
    axes = np.linalg.eigh(covariance)[1][:, : -min(2, size) - 1 : -1]
    points = np.zeros((len(features), 2))
    for start in starts:
        some = features[start : start + _ROWS_AT_ONCE] - mean
        points[start : start + len(some), : axes.shape[1]] = some @ axes
    low, high = points.min(axis=0), points.max(axis=0)
    return np.asarray((points - low) / np.where(high > low, high - low, 1))


def p_values(
    store: StoreLike, run: Run, features: NDArray[np.float32], keys: Keys
) -> NDArray[np.float64]:
    """Return how unlike the training images of a run each image is, (n,); raises InputError."""
    recipe = FeatureStore.open(store, run.fingerprint)
    reference = run_reference(RunStore(store), run, recipe)
    if isinstance(reference, str):
        raise InputError(f"images cannot be compared with those of the training: {reference}")
    return reference.p_values(features, keys)


def similar(features: NDArray[np.float32], n: int, *, most: int = SIMILAR) -> Codes:
    """Return the images most similar to one by the cosine of their features, itself first."""
    places = np.arange(len(features))
    asked = unit(features[n : n + 1])
    found = nearest([(places, features)], asked, most - 1, without=places[n : n + 1])
    return np.array([n, *(place for place, _ in found.of(0))], np.int64)
