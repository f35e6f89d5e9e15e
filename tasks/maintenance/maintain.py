"""Looking after a store: what is in it, whether it is whole, and what may go."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from typing import Any

from stores.dataset_places import datasets
from stores.dataset_summary import ListedDataset
from stores.errors import CorruptStore, NewerFormat, NotInStore, StoreError
from stores.features.layers import read_layers
from stores.features.store import FeatureStats
from stores.layout import is_store, locate
from stores.manifest import Manifest
from stores.merge.features import merge
from stores.merge.result import Merged
from stores.quantized import unnamed_models
from stores.runs.checkpoints import (
    CheckpointStats,
    all_checkpoints,
    checkpoint_garbage,
    unfinished,
)
from stores.runs.store import RunStore
from stores.storage.garbage import Garbage, aged, collect, drafts
from stores.storage.json_files import ABSURD, read_object
from stores.storage.location import GRACE_SECONDS, Location, StoreLike
from stores.storage.safe_files import status
from stores.storage.safe_folders import folders, walk
from tasks.errors import InputError
from tasks.execution.steps import task
from tasks.maintenance.recipe_folders import all_features, restore_recipes, unfinished_folders
from tasks.maintenance.verification import verify_all

log = logging.getLogger("gargalo.store")


@dataclass(frozen=True)
class GarbageItem:
    """One file or folder that may go, or went."""

    path: str
    bytes: int
    reason: str


@dataclass(frozen=True)
class UnfinishedFinetuning(CheckpointStats):
    """A fine-tuning that its next call goes on with."""

    epochs: int  # that are done


@dataclass(frozen=True)
class StoreListing:
    """What is in a store."""

    datasets: list[ListedDataset]
    recipes: list[str]
    runs: list[dict[str, Any]]  # rows of the table of runs, with the columns that it has
    finetunings: list[UnfinishedFinetuning]
    layers: list[str]


def stats(store: StoreLike) -> list[FeatureStats]:
    """Return the counts and sizes of each recipe's features."""
    store = check_exists(store)
    return [features.stats() for features in all_features(store)]


def checkpoint_stats(store: StoreLike) -> list[CheckpointStats]:
    """Return the counts and sizes of each fine-tuning's checkpoints."""
    store = check_exists(store)
    return [kept.stats() for kept in all_checkpoints(store)]


def verify(store: StoreLike) -> dict[str, list[str]]:
    """Read every byte of what is stored; return what is wrong with each part, by its name.

    Damaged features are set aside; anything else is left as it is, and the fix is named.
    """
    store = check_exists(store)
    return verify_all(store)


def reindex(store: StoreLike) -> dict[str, int]:
    """Make all index fragments again, and a lost `recipe.json`; return by recipe how many."""
    store = check_exists(store)
    restore_recipes(store)
    made: dict[str, int] = {}
    for features in all_features(store):
        try:
            made[str(features.recipe)] = features.reindex()
        except (NewerFormat, CorruptStore) as error:
            log.warning("features %s: %s; left out", features.recipe, error)
    return made


def collect_garbage(
    store: StoreLike, *, grace_seconds: float = GRACE_SECONDS, delete: bool = False
) -> list[GarbageItem]:
    """Return what nobody will read again, with its size in bytes and the reason; or delete it."""
    store = check_exists(store)
    recipes = list(all_features(store))
    found = list(
        chain.from_iterable(
            features.collect_garbage(grace_seconds=grace_seconds, delete=delete)
            for features in recipes
        )
    )
    seen = {(features.place / "tmp").path for features in recipes}
    places = (path for path, _ in walk(store.path, pass_over=True) if path.name == "tmp")
    below = [store.at(path) for path in places if path not in seen]
    found += collect(
        chain.from_iterable(drafts(place, grace_seconds) for place in below), delete=delete
    )
    found += collect(_half_published(store, grace_seconds), delete=delete)
    found += collect(unfinished_folders(store, grace_seconds), delete=delete)
    found += collect(_outdated_models(store, grace_seconds), delete=delete)
    found += collect(unnamed_models(store, grace_seconds), delete=delete)
    found += collect(checkpoint_garbage(store, grace_seconds), delete=delete)
    return [GarbageItem(str(item.path), item.size, item.reason) for item in found]


def list_store(store: StoreLike) -> StoreListing:
    """Return the data sets, recipes, runs, unfinished fine-tunings and layers, facts on each."""
    store = check_exists(store)
    return StoreListing(
        datasets=list(_datasets(store)),
        recipes=[str(features.recipe) for features in all_features(store)],
        runs=RunStore(store).table().drop(["classes"]).to_pylist(),
        finetunings=list(_unfinished(store)),
        layers=[layer.show() for layer in read_layers(store)],
    )


def merge_stores(store: StoreLike, other: StoreLike) -> Merged:
    """Take over all that is missing here from another store; return counts, and what was left.

    The other is only read. Raises InputError where it is this one, NotInStore where it is none.
    """
    other, store = check_exists(other, flag="--from"), locate(store)
    if store.same_as(other):
        raise InputError(f"--from {other}: that is the store itself; give another")
    return merge(store, other)


def _merging() -> str:
    from prefect.runtime import task_run

    return f"merge {task_run.parameters['other']}"


stats_task = task(name="stats", task_run_name="stats")(stats)
checkpoint_stats_task = task(name="checkpoint stats", task_run_name="checkpoint stats")(
    checkpoint_stats
)
verify_task = task(name="verify", task_run_name="verify")(verify)
reindex_task = task(name="reindex", task_run_name="reindex")(reindex)
collect_task = task(name="collect garbage", task_run_name="collect garbage")(collect_garbage)
list_task = task(name="list", task_run_name="list")(list_store)
merge_task = task(name="merge", task_run_name=_merging)(merge_stores)


def _datasets(store: StoreLike) -> Iterator[ListedDataset]:
    for name in datasets(store):
        try:
            about = Manifest.read(store, name).summary()
        except StoreError as error:
            log.warning("%s; left out", error)
            continue
        yield ListedDataset(
            **{field.name: getattr(about, field.name) for field in fields(ListedDataset)}
        )


def _unfinished(store: StoreLike) -> Iterator[UnfinishedFinetuning]:
    for kept in unfinished(store):
        try:
            latest = kept.latest()
        except StoreError as error:
            log.warning("%s; left out", error)
            continue
        yield UnfinishedFinetuning(**vars(kept.stats()), epochs=latest.epochs if latest else 0)


def _half_published(store: Location, grace_seconds: float) -> Iterator[Garbage]:
    for folder in store.unfinished():
        yield from aged(folder, "left by a writer that died", grace_seconds)


def _outdated_models(store: Location, grace_seconds: float) -> Iterator[Garbage]:
    models = (model for kind in folders((store / "engines").path) for model in folders(kind))
    for path in (model / "agreement.json" for model in models):
        if not status(path):
            continue
        try:
            made_by = read_object(path)["identity"]["versions"]
            outdated = made_by != {name: version(name) for name in made_by}
        except (*ABSURD, PackageNotFoundError):
            outdated = True
        if outdated:
            yield from aged(
                store.at(path.parent), "a backbone converted by other versions", grace_seconds
            )


def check_exists(store: StoreLike, *, flag: str = "--store") -> Location:
    """Return where a store is; raises NotInStore where there is none, by the flag that gave it."""
    place = locate(store)
    place.refresh()
    if not is_store(place):
        raise NotInStore(f"{place}: there is no store; give its folder with {flag}")
    return place
