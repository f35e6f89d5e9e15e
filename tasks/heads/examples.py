"""What heads learn from: a stream of features, labels, and the folds of the examples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stores.errors import CorruptStore
from stores.features.store import FeatureStore
from stores.keys import Keys
from tasks.datasets.folds import Chosen, Fold

if TYPE_CHECKING:
    from sklearn.preprocessing import StandardScaler

Positions = NDArray[np.int64]
Chunk = tuple[Positions, NDArray[Any]]  # positions of examples, and their features (n, *shape)

ROWS_A_CHUNK = 4096  # in the caches of all that learns from them, one after the other
# What is larger is read again in each epoch, a chunk at a time.
_IN_MEMORY_BYTES = 2**31


class Stream(Protocol):
    """Features of all examples, in memory or not."""

    @property
    def width(self) -> int:
        """How many numbers a feature has."""

    def shuffled(self, epoch: int) -> Iterator[Chunk]:
        """Yield all of them in an order of the epoch's own, ROWS_A_CHUNK at a time."""

    def ordered(self, chosen: Chosen | None = None) -> Iterator[Chunk]:
        """Yield all, or the chosen, in their order."""


class MemoryStream:
    """Features in memory."""

    def __init__(self, features: NDArray[Any]) -> None:
        self._features = features

    @property
    def width(self) -> int:
        """How many numbers a feature has."""
        return int(np.prod(self._features.shape[1:], dtype=np.int64))

    def shuffled(self, epoch: int) -> Iterator[Chunk]:
        """Yield all in the order in which StoredStream does."""
        order = np.arange(len(self._features), dtype=np.int64)
        np.random.default_rng(epoch).shuffle(order)
        for start in range(0, len(order), ROWS_A_CHUNK):
            positions = order[start : start + ROWS_A_CHUNK]
            yield positions, self._features[positions]

    def ordered(self, chosen: Chosen | None = None) -> Iterator[Chunk]:
        """Yield all, or the chosen."""
        if chosen is None:
            yield np.arange(len(self._features), dtype=np.int64), self._features
        else:
            yield np.flatnonzero(chosen), self._features[chosen]


class StoredStream:
    """Features in the store, some MiB of them in memory at a time."""

    def __init__(self, features: FeatureStore, keys: Keys) -> None:
        self._features, self._keys = features, keys

    @property
    def width(self) -> int:
        """How many numbers a feature has."""
        return int(np.prod(self._features.feature_shape or (), dtype=np.int64))

    def shuffled(self, epoch: int) -> Iterator[Chunk]:
        """Yield all in an order of the epoch's own."""
        yield from self._features.batches(self._keys, batch_size=ROWS_A_CHUNK, shuffle_seed=epoch)

    def ordered(self, chosen: Chosen | None = None) -> Iterator[Chunk]:
        """Yield all, or the chosen."""
        places = np.arange(len(self._keys)) if chosen is None else np.flatnonzero(chosen)
        chunks = self._features.batches(self._keys[places], batch_size=ROWS_A_CHUNK)
        yield from ((places[positions], rows) for positions, rows in chunks)


@dataclass(frozen=True)
class Examples:
    """Features, labels (n,) as indices of the classes, and folds."""

    stream: Stream
    labels: NDArray[np.int64]
    classes: int
    folds: Sequence[Fold]

    def features(self, chosen: Chosen | None = None) -> NDArray[np.float32]:
        """Return the features of all examples, or of the chosen, flattened, in memory."""
        return np.concatenate([flat(rows) for _, rows in self.stream.ordered(chosen)])

    def scaler(
        self, fold: Fold, *, standardize: bool = True, stops: bool = False
    ) -> "StandardScaler":
        """Return what centres features by what a head learns from, and standardises them."""
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler(with_std=standardize)
        for _, rows in self.stream.ordered(fold.learned(stops=stops)):
            scaler.partial_fit(flat(rows))
        return scaler


def stream_of(features: FeatureStore, keys: Keys) -> Stream:
    """Return the stored features of these images: in memory where they are small."""
    stored = StoredStream(features, keys)
    fits = 4 * len(keys) * stored.width <= _IN_MEMORY_BYTES
    return MemoryStream(features.read(keys)) if fits else stored


def flat(features: NDArray[Any], width: int | None = None) -> NDArray[np.float32]:
    """Return features (n, *shape) as (n, numbers); raises CorruptStore if that is not `width`."""
    rows = np.asarray(features, np.float32).reshape(len(features), -1)
    if width is not None and rows.shape[1] != width:
        raise CorruptStore(
            f"features of {rows.shape[1]} numbers, and a head that takes {width}: they are of "
            "another recipe, or the run's model is another's; train again"
        )
    return rows
