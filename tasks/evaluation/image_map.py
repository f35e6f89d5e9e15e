"""A map of the images by their features."""

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]  # (n, 2), from 0 to 1


def maps(features: NDArray[np.float32], *, seed: int = 0) -> dict[str, Points]:
    """Return the images' places in two dimensions, by PCA and by t-SNE, by the method's name.

    `features` (n, numbers) are standardised first; t-SNE starts from 50 principal components.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    scaled = StandardScaler().fit_transform(features)
    most = min(50, *scaled.shape)
    if most < 2:
        return {}
    components = PCA(most, random_state=seed).fit_transform(scaled)
    found = {"PCA": components[:, :2]}
    if len(features) > 10 and components.std() > 0:
        perplexity = min(30.0, (len(features) - 1) / 3)
        # For so few images threads wait for each other more than they compute: on a busy machine
        # a map of 500 takes 43 s with two, and 2 s with one.
        with threadpool_limits(1):
            method = TSNE(perplexity=perplexity, random_state=seed)
            found["t-SNE"] = method.fit_transform(components)
    return {name: _within_one(points.astype(np.float64)) for name, points in found.items()}


def sample(labels: NDArray[np.int64], most: int, *, seed: int = 0) -> NDArray[np.int64]:
    """Return the positions of at most `most` images, of each class its share, in their order."""
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    step = max(1.0, len(order) / most)
    return np.sort(order[np.arange(0, len(order), step).astype(np.int64)])


def _within_one(points: Points) -> Points:
    low, high = points.min(axis=0), points.max(axis=0)
    return np.asarray((points - low) / np.where(high > low, high - low, 1))
