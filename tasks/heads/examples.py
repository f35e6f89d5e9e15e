"""The training data of heads: a stream of features, labels, and folds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stores.errors import CorruptStore
from stores.features.store import FeatureStore
from stores.keys import Keys
from stores.target_values import Targets
from stores.targets import Target
from tasks.datasets.folds import Chosen, Fold

Positions = NDArray[np.int64]
Chunk = tuple[Positions, NDArray[Any]]  # positions of examples, and their features (n, *shape)

ROWS_A_CHUNK = 4096  # small enough for the CPU's caches
# Larger features are read again in each epoch, in chunks.
_IN_MEMORY_BYTES = 2**31


class MemoryStream:
    """Features in memory."""

    def __init__(self, features: NDArray[Any]) -> None:
        self._features = features

    @property
    def width(self) -> int:
        """The number of values of a feature."""
        return int(np.prod(self._features.shape[1:], dtype=np.int64))

    def shuffled(self, epoch: int) -> Iterator[Chunk]:
        """Yield all examples, shuffled with the epoch as the seed, in chunks of ROWS_A_CHUNK."""
        order = np.arange(len(self._features), dtype=np.int64)
        np.random.default_rng(epoch).shuffle(order)
        for start in range(0, len(order), ROWS_A_CHUNK):
            positions = order[start : start + ROWS_A_CHUNK]
            yield positions, self._features[positions]

    def ordered(self, chosen: Chosen | None = None) -> Iterator[Chunk]:
        """Yield all or the chosen examples, in their order."""
        if chosen is None:
            yield np.arange(len(self._features), dtype=np.int64), self._features
        else:
            yield np.flatnonzero(chosen), self._features[chosen]


class StoredStream:
    """Features in the store, read in chunks of some MiB."""

    def __init__(self, features: FeatureStore, keys: Keys) -> None:
        self._features, self._keys = features, keys

    @property
    def width(self) -> int:
        """The number of values of a feature."""
        return int(np.prod(self._features.feature_shape or (), dtype=np.int64))

    def shuffled(self, epoch: int) -> Iterator[Chunk]:
        """Yield all examples, in the same order and chunks as MemoryStream."""
        yield from self._features.batches(self._keys, batch_size=ROWS_A_CHUNK, shuffle_seed=epoch)

    def ordered(self, chosen: Chosen | None = None) -> Iterator[Chunk]:
        """Yield all or the chosen examples, in their order."""
        places = np.arange(len(self._keys)) if chosen is None else np.flatnonzero(chosen)
        chunks = self._features.batches(self._keys[places], batch_size=ROWS_A_CHUNK)
        yield from ((places[positions], rows) for positions, rows in chunks)


Stream = MemoryStream | StoredStream


@dataclass(frozen=True)
class Examples:
    """Features, labels (see `stores.target_values.Targets`), and folds."""

    stream: Stream
    labels: Targets
    classes: int  # or the number of labels; 1 for a number
    folds: Sequence[Fold]
    target: Target = "classes"

    def features(self, chosen: Chosen | None = None) -> NDArray[np.float32]:
        """Return the features of all or the chosen examples, flattened, in memory."""
        return np.concatenate([flat(rows) for _, rows in self.stream.ordered(chosen)])

    def scaling(
        self, fold: Fold, *, standardize: bool = True, stops: bool = False
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and scale of the train examples of a fold; the scale is 1 if it is not used.

        With `stops`, the examples for early stopping are left out.
        """
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler(with_std=standardize)
        for _, rows in self.stream.ordered(fold.learned(stops=stops)):
            scaler.partial_fit(flat(rows))
        return scaler.mean_, np.ones_like(scaler.mean_) if scaler.scale_ is None else scaler.scale_


def stream_of(features: FeatureStore, keys: Keys) -> Stream:
    """Return the stored features of these images, in memory if they are small enough."""
    stored = StoredStream(features, keys)
    fits = 4 * len(keys) * stored.width <= _IN_MEMORY_BYTES
    return MemoryStream(features.read(keys)) if fits else stored


def flat(features: NDArray[Any], width: int | None = None) -> NDArray[np.float32]:
    """Return features (n, *shape) as (n, width); raises CorruptStore for another width."""
    rows = np.asarray(features, np.float32).reshape(len(features), -1)
    if width is not None and rows.shape[1] != width:
        raise CorruptStore(
            f"the head expects features of {width} values, received {rows.shape[1]}: the features "
            "have another recipe, or the model belongs to another run; train again"
        )
    return rows
