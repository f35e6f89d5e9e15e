"""The feature store: bottleneck features by image key, view and recipe."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from stores.errors import CorruptStore, NotInStore
from stores.features.checked_read import Reading
from stores.features.layered_index import index_of
from stores.features.layers import read_layers
from stores.features.mapped_shards import JoinedShards
from stores.features.quarantine import refresh, set_aside, set_aside_odd
from stores.features.recipe import Recipe, check_recipe, stored_recipes, write_recipe
from stores.features.shadowed import recipe_garbage
from stores.features.shard import Producer, Shard, fit, pack, unpack
from stores.keys import KEY_BYTES, Keys, Rows, Views, as_keys, as_views, identities
from stores.layout import locate
from stores.storage.garbage import Garbage, collect
from stores.storage.location import GRACE_SECONDS, IRREGULAR, StoreLike
from stores.storage.safe_files import status


@dataclass(frozen=True)
class FeatureStats:
    """Counts and sizes of one recipe's features."""

    fingerprint: str
    recipe: str  # in words
    feature_shape: tuple[int, ...] | None  # None: none is stored
    features: int
    shards: int
    bytes: int
    producers: tuple[Producer, ...]
    quarantined: int  # shards


class FeatureStore:
    """The features of one recipe in the store at `root`; any number of processes may share it.

    Nothing is created on disk before the first `write`. Features are given and returned as arrays
    (n, *shape) of float32 or float16, keys as (n, 32) bytes or an iterable of 32-byte keys, views
    as one number for all or (n,) numbers. An object is for one thread; threads open one each.
    Under a store there may be `layers`, those of its `layers.json` if none are given: the features
    missing in it are read from there. Nothing but reading sees them.

    Example:
        >>> rows = FeatureStore.open("feature-store").read(manifest.select("train").keys)
    """

    def __init__(
        self,
        root: StoreLike,
        recipe: Recipe,
        *,
        layers: Sequence[StoreLike] | None = None,
    ) -> None:
        self.root = locate(root)
        self.recipe = recipe
        self.place = self.root / "features" / recipe.fingerprint[:16]
        (self.place / "recipe.json").refresh()
        if status((self.place / "recipe.json").path):
            check_recipe(recipe, self.place)
        self._layers = read_layers(self.root) if layers is None else list(map(locate, layers))
        self._index = index_of(self.place, recipe, self._layers)

    @property
    def folder(self) -> Path:
        """Where that is on this machine."""
        return self.place.path

    @classmethod
    def open(cls, root: StoreLike, fingerprint: str = "") -> Self:
        """Open the features whose fingerprint begins so; a store with one recipe needs none.

        Raises NotInStore where no recipe, or more than one, fits.
        """
        store = locate(root)
        recipes = stored_recipes(store, *read_layers(store), beginning=fingerprint)
        fitting = [recipe for recipe in recipes if recipe.fingerprint.startswith(fingerprint)]
        if len(fitting) != 1:
            there = "; ".join(str(recipe) for recipe in recipes) or "none"
            raise NotInStore(
                f"{store}: expected one recipe whose fingerprint begins with "
                f"{fingerprint!r}, found {len(fitting)}; in the store: {there}"
            )
        return cls(store, fitting[0])

    def missing(self, keys: Keys | Iterable[bytes], *, views: int | Views = 0) -> NDArray[np.bool_]:
        """Return for each key whether its feature has yet to be computed, (n,) booleans."""
        self._refresh()
        return self._index.joined.find(_identities(keys, views)) < 0

    def keys(self) -> Keys:
        """Return the keys of all images that have a feature, of any view, (n, 32)."""
        self._refresh()
        none = np.empty((0, KEY_BYTES), np.uint8)
        return np.concatenate([none, *(shard.keys for shard in self._index.joined.shards)])

    def write(
        self,
        keys: Keys | Iterable[bytes],
        rows: Rows,
        *,
        views: int | Views = 0,
        producer: Producer | None = None,
    ) -> str:
        """Store one feature for each key, durably and all at once; return the shard's digest.

        When this returns, the rows are acknowledged: nothing short of losing the disk loses them.
        Raises UnfitFeatures (wrong shape or count, not finite), StoreReadOnly or StoreFull: then
        nothing was acknowledged.
        """
        ids = _identities(keys, views)
        stored = fit(self.recipe, rows, count=len(ids), shape=self.feature_shape)
        write_recipe(self.recipe, self.place)
        numbers = ids[:, KEY_BYTES:].copy().view("<u2").ravel()
        shard, content = pack(self.recipe, ids[:, :KEY_BYTES], numbers, stored, producer or {})
        self._index.shard_place(shard.digest).publish(content, tmp=self.place / "tmp")
        self._index.add(shard)
        self._index.write_fragment(shard)
        return shard.digest

    def read(self, keys: Keys | Iterable[bytes], *, views: int | Views = 0) -> Rows:
        """Return the features of `keys`, in their order, in memory; every row is checked.

        A row whose checksum is wrong is set aside, said so, and never returned. Raises
        MissingFeatures where a feature is not stored or was damaged.
        """
        return self._reading(keys, views).rows(slice(None))

    def batches(
        self,
        keys: Keys | Iterable[bytes],
        *,
        batch_size: int,
        shuffle_seed: int | None = None,
        views: int | Views = 0,
    ) -> Iterator[tuple[NDArray[np.int64], Rows]]:
        """Yield (positions in `keys`, features) in batches, in order or shuffled by a seed.

        The positions pick the labels: `y[positions]`. One batch is in memory at a time, or where
        they are small some MiB of them, read together.
        Raises MissingFeatures before the first batch where a feature is not stored.
        """
        if batch_size < 1:
            raise ValueError(f"`batch_size` must be at least 1. Received: {batch_size}")
        reading = self._reading(keys, views)
        order = np.arange(len(reading), dtype=np.int64)
        if shuffle_seed is not None:
            np.random.default_rng(shuffle_seed).shuffle(order)
        yield from reading.batches(order, batch_size)

    def verify(self) -> list[str]:
        """Read every byte of every shard, set aside what is damaged, and return what was found."""
        self._index.damaged.clear()  # what this process has skipped is found and reported again
        unreadable: dict[str, OSError] = {}
        findings = self._index.refresh(unreadable=unreadable)
        for shard in list(self._index):
            try:
                # From an address: what is there is in question, and not what the mirror has of it.
                whole = unpack(self._index.local_shard(shard.digest, again=True), self.recipe)
                if not whole.is_as(shard):
                    findings[shard.digest] = (
                        f"shard {shard.digest[:12]}…: its index fragment contradicts it"
                    )
            except FileNotFoundError:
                continue  # collected by another process just now
            except CorruptStore as error:
                findings[shard.digest] = str(error)
            except OSError as error:  # the system's fault: no reason to set a shard aside
                unreadable[shard.digest] = error
        for digest, reason in findings.items():
            set_aside(self._index, digest, reason, write=self.write)
        findings |= set_aside_odd(self._index, write=self.write)
        return [
            *findings.values(),
            *(f"shard {d[:12]}…: it could not be read: {e}" for d, e in unreadable.items()),
        ]

    def reindex(self) -> int:
        """Make all index fragments again from the shards; return how many."""
        # While there are fragments, a damaged row costs that row; without them, its whole shard.
        self.verify()
        (self.place / "index").delete(tmp=self.place / "tmp")
        self._index = index_of(self.place, self.recipe, self._layers)
        self._refresh()
        return len(list(self._index))

    def collect_garbage(
        self, *, grace_seconds: float = GRACE_SECONDS, delete: bool = False
    ) -> list[Garbage]:
        """Return what nobody will read again, and delete it with `delete`."""
        self._refresh()
        return collect(recipe_garbage(self._index, grace_seconds), delete=delete)

    def stats(self) -> FeatureStats:
        """Return counts and sizes: shards, features, bytes, row shape, dtype and producers."""
        self._refresh()
        shards, quarantined = list(self._index), (self.place / "quarantine").files(".h5")
        return FeatureStats(
            fingerprint=self.recipe.fingerprint,
            recipe=str(self.recipe),
            feature_shape=shards[0].shape if shards else None,
            features=JoinedShards(shards, self._index.local_shard).distinct,
            shards=len(shards),
            bytes=sum(shard.size for shard in shards),
            producers=tuple(_makers(shards)),
            quarantined=sum(about.size != IRREGULAR for about in quarantined.values()),
        )

    @property
    def feature_shape(self) -> tuple[int, ...] | None:
        """The shape of one feature, or None where none is stored."""
        # A writer asks at each shard: it must not take in all the others for that.
        shard = next(iter(self._index), None) or self._index.peek()
        return shard.shape if shard else None

    def producers(self) -> list[Producer]:
        """Return who made the stored features, each once, without the figures of agreement."""
        self._refresh()
        return _makers(self._index.joined.shards)

    def made_by(self, keys: Keys | Iterable[bytes]) -> list[tuple[Producer, Keys]]:
        """Return by whom the features of `keys` (view 0) were made: each shard's maker and keys."""
        self._refresh()
        array = as_keys(keys)
        joined = self._index.joined
        places = joined.find(_identities(array, 0))
        there = np.flatnonzero(places >= 0)
        return [
            (shard.maker, array[there[positions]])
            for shard, positions, _ in joined.locate(places[there])
        ]

    def _reading(self, keys: Keys | Iterable[bytes], views: int | Views) -> Reading:
        return Reading(self._index, _identities(keys, views), write=self.write)

    def _refresh(self) -> None:
        refresh(self._index, write=self.write)


def _makers(shards: Iterable[Shard]) -> list[Producer]:
    made = {json.dumps(shard.maker, sort_keys=True) for shard in shards}
    return [json.loads(text) for text in sorted(made)]


def _identities(keys: Keys | Iterable[bytes], views: int | Views) -> NDArray[np.uint8]:
    array = as_keys(keys)
    return identities(array, as_views(views, len(array)))
