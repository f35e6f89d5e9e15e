"""The exact accounting of an extraction: images = cached + computed + duplicates."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa

from stores.dataset_summary import FileReason
from stores.features.recipe import Recipe
from stores.features.store import FeatureStore
from stores.in_notebook import InNotebook, Table
from stores.keys import first_words, from_arrow
from stores.manifest import Manifest
from stores.quantized import Gate
from stores.storage.location import StoreLike
from tasks.features.extract import Extraction
from tasks.features.shard_work import ShardDone


@dataclass(frozen=True)
class Begun:
    """What was computed of new files as they were read, before the rest of an extraction."""

    shards: tuple[ShardDone, ...] = ()
    compared: int = 0
    seconds: float = 0.0

    @classmethod
    def of(cls, done: Extraction, read: pa.Table, manifest: Manifest, seconds: float) -> Self:
        """Return it; it computed the distinct images of the data set that `read` has as computed.

        Others are in no use: a file has changed meanwhile, or contradicts another.
        """
        accepted = first_words(from_arrow(manifest.of_status("accepted", columns=("key",))["key"]))
        # By a part of the keys, as they were claimed: of millions whole keys take ten times that.
        words = np.unique(first_words(from_arrow(read["key"].filter(read["computed"]))))
        computed = int(np.isin(words, accepted).sum())
        checked = sum(shard.checked for shard in done.shards)
        shard = ShardDone(computed, checked, (), done.shards[-1].producer)
        return cls((shard,) if computed or checked else (), done.compared, seconds)


NOTHING_YET = Begun()


@dataclass(frozen=True)
class RecipeSummary:
    """One recipe, and the shape of its features in the store; None where there are none."""

    tap: str
    fingerprint: str
    feature_shape: tuple[int, ...] | None
    recipe: Recipe

    def json_fields(self) -> dict[str, Any]:
        """Return what JSON has of it."""
        return {**vars(self), "recipe": json.loads(self.recipe.to_json())}


@dataclass(frozen=True, kw_only=True)
class ExtractSummary(InNotebook):
    """Which features of a data set were in the store, and which were computed."""

    dataset: str
    images: int
    cached: int | None  # None: no features were looked for
    computed: int
    checked: int  # rows computed only to compare engines or versions
    duplicates: int
    rejected: tuple[FileReason, ...]
    notes: tuple[str, ...]
    fingerprint: str  # of the first recipe, as is the shape
    feature_shape: tuple[int, ...] | None
    recipes: tuple[RecipeSummary, ...]
    engine: str
    # Of the engine with Keras, or at int8 with the rows kept: `Agreement` as a shard has it.
    agreement: dict[str, Any] | None
    seconds: float
    images_per_second: float
    int8: Gate | None = None  # what int8 costs and gains; None: at another precision

    def tables(self) -> Iterator[Table]:
        """Yield the accounting, the recipes, and the files that were left out."""
        names = ("images", "cached", "computed", "duplicates", "engine", "seconds")
        accounted = {name: getattr(self, name) for name in names}
        yield Table(f"Features of {self.dataset}", [accounted])
        shapes = ("×".join(map(str, recipe.feature_shape or ())) for recipe in self.recipes)
        recipes = zip(self.recipes, shapes, strict=True)
        yield Table(
            "Recipes",
            [
                {"tap": recipe.tap, "shape": shape, "fingerprint": recipe.fingerprint[:16]}
                for recipe, shape in recipes
            ],
        )
        if self.rejected:
            yield Table("Files that cannot be used", [vars(file) for file in self.rejected])


def account(
    manifest: Manifest,
    recipes: Sequence[Recipe],
    done: Sequence[ShardDone] | None,
    *,
    store: StoreLike,
    compared: int = 0,
    seconds: float = 0.0,
) -> ExtractSummary:
    """Return the accounting of an extraction; `compared` rows were computed to compare versions.

    Where no features were looked for, `done` is None, and so is the number of those cached.
    """
    about = manifest.summary()
    looked, done = done is not None, done or []
    computed = sum(shard.computed for shard in done)
    producer = done[-1].producer if done else {}
    summaries = tuple(
        RecipeSummary(r.tap, r.fingerprint, FeatureStore(store, r).feature_shape, r)
        for r in recipes
    )
    return ExtractSummary(
        dataset=manifest.name,
        images=about.images,
        cached=about.images - about.duplicates - computed if looked else None,
        computed=computed,
        checked=compared + sum(shard.checked for shard in done),
        duplicates=about.duplicates,
        rejected=about.rejected,
        notes=about.notes,
        fingerprint=summaries[0].fingerprint,
        feature_shape=summaries[0].feature_shape,
        recipes=summaries,
        engine=producer.get("engine", "none"),
        agreement=producer.get("agreement"),
        seconds=round(seconds, 3),
        images_per_second=round(computed / seconds, 1) if seconds else 0.0,
    )
