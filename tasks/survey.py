"""What the features say of the images themselves: a map of them, and near-duplicates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]  # (n, 2), from 0 to 1

# Two images are near-duplicates that are so much nearer to each other than images are to their
# nearest neighbours. On 3,000 photographs of cats and dogs the one pair of the same picture that is
# there is at 0.05 of that distance, and the next pair at 0.48.
NEAR = 0.25
MOST_COMPARED = 20_000  # images: 6 s on two cores, of 1,280 numbers each
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Pair:
    """Two images of different splits that are almost the same, by their positions."""

    first: int
    second: int
    similarity: float  # the cosine of their features


def near_duplicates(features: NDArray[np.float32], splits: Sequence[str]) -> list[Pair]:
    """Return pairs of near-duplicates in different splits, the most alike first.

    `features` (n, numbers) are compared by the cosine. What is near follows from the images
    themselves: NEAR times the median distance of an image to its nearest neighbour. Raises
    ValueError for more than MOST_COMPARED images.
    """
    if len(features) > MOST_COMPARED:
        raise ValueError(f"expected at most {MOST_COMPARED} images, received {len(features)}")
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    unit = features / np.where(norms > 0, norms, 1)
    split = np.unique(np.asarray(splits), return_inverse=True)[1]
    nearest = np.empty(len(unit), np.float32)
    candidates: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]] = []
    for start in range(0, len(unit), _ROWS_AT_ONCE):
        alike = unit[start : start + _ROWS_AT_ONCE] @ unit.T
        rows = np.arange(len(alike))
        alike[rows, start + rows] = -np.inf
        nearest[start : start + len(alike)] = alike.max(axis=1)
        alike[split[start : start + len(alike), np.newaxis] == split] = -np.inf
        second = alike.argmax(axis=1)
        candidates.append((start + rows, second, alike[rows, second]))
    if len(unit) < 3:  # nothing to tell near from far by
        return []
    limit = 1 - NEAR * np.median(1 - nearest)
    pairs = {
        (min(a, b), max(a, b)): similarity
        for first, second, similarities in candidates
        for a, b, similarity in zip(
            first.tolist(), second.tolist(), similarities.tolist(), strict=True
        )
        if similarity >= limit
    }
    found = [Pair(a, b, similarity) for (a, b), similarity in pairs.items()]
    return sorted(found, key=lambda pair: -pair.similarity)


def maps(features: NDArray[np.float32], *, seed: int = 0) -> dict[str, Points]:
    """Return the images' places in two dimensions, by PCA and by t-SNE, by the method's name.

    `features` (n, numbers) are standardised first; t-SNE starts from 50 principal components.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from sklearn.preprocessing import StandardScaler

    scaled = StandardScaler().fit_transform(features)
    most = min(50, *scaled.shape)
    if most < 2:
        return {}
    components = PCA(most, random_state=seed).fit_transform(scaled)
    found = {"PCA": components[:, :2]}
    if len(features) > 10 and components.std() > 0:
        perplexity = min(30.0, (len(features) - 1) / 3)
        found["t-SNE"] = TSNE(perplexity=perplexity, random_state=seed).fit_transform(components)
    return {name: _within_one(points.astype(np.float64)) for name, points in found.items()}


def sample(labels: NDArray[np.int64], most: int, *, seed: int = 0) -> NDArray[np.int64]:
    """Return the positions of at most so many images, of each class its share, in their order."""
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    step = max(1.0, len(order) / most)
    return np.sort(order[np.arange(0, len(order), step).astype(np.int64)])


def _within_one(points: Points) -> Points:
    low, high = points.min(axis=0), points.max(axis=0)
    return np.asarray((points - low) / np.where(high > low, high - low, 1))
