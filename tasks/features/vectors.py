"""A vector an image, of stored features: what distances are taken of."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stores.features.store import FeatureStore
from stores.keys import Keys, Rows

_ROWS_AT_ONCE = 64  # which may be feature maps
_BLOCK_BYTES = 8 * 2**20
_MOST_AT_ONCE = 2048

Vectors = NDArray[np.float32]  # (n, channels)


def averaged(rows: Rows) -> Vectors:
    """Return features as a vector an image: maps are averaged over their places."""
    if rows.ndim == 2:
        return rows.astype(np.float32, copy=False)
    some = rows.reshape(len(rows), -1, rows.shape[-1])
    return np.asarray(some.mean(axis=1, dtype=np.float32))


@dataclass(frozen=True)
class StoredVectors:
    """A vector an image, read from the store as often as needed."""

    features: FeatureStore
    keys: Keys

    def ordered(
        self, chosen: NDArray[np.bool_] | None = None
    ) -> Iterator[tuple[NDArray[np.int64], Vectors]]:
        """Yield (positions, vectors) of all or the chosen images, in their order."""
        places = np.arange(len(self.keys)) if chosen is None else np.flatnonzero(chosen)
        keys = self.keys if chosen is None else self.keys[places]
        for positions, rows in self.features.batches(keys, batch_size=_ROWS_AT_ONCE):
            yield places[positions], averaged(rows)


def vectors(features: FeatureStore, keys: Keys) -> Vectors:
    """Return the vectors of some images, in their order."""
    found = np.empty((len(keys), (features.feature_shape or (0,))[-1]), np.float32)
    for positions, rows in StoredVectors(features, keys).ordered():
        found[positions] = rows  # filled in place: together they may be half of the memory
    return found


def row_blocks(features: FeatureStore, keys: Keys) -> Iterator[tuple[NDArray[np.int64], Rows]]:
    """Yield (positions in `keys`, features) in blocks of some MiB, for products of matrices."""
    shape = features.feature_shape or ()
    row_bytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(features.recipe.dtype).itemsize
    at_once = min(_MOST_AT_ONCE, max(1, _BLOCK_BYTES // max(1, row_bytes)))
    return features.batches(keys, batch_size=at_once)
