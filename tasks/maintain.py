"""Looking after a store: what is in it, whether it is whole, and what may go."""

from itertools import chain
from pathlib import Path
from typing import Any

from prefect import task

from stores.errors import NotInStore
from stores.features import FeatureStore
from stores.garbage import GRACE_SECONDS, collect, drafts
from stores.manifest import Manifest, datasets
from stores.recipe import stored_recipes
from stores.runs import RunStore
from tasks.retrying import RETRIED


def stats(store: Path) -> list[dict[str, Any]]:
    """Return the counts and sizes of each recipe's features."""
    return [features.stats() for features in _all_features(store)]


def verify(store: Path) -> dict[str, list[str]]:
    """Read every byte of every shard; return by recipe what was damaged and is now set aside."""
    return {str(features.recipe): features.verify() for features in _all_features(store)}


def reindex(store: Path) -> dict[str, int]:
    """Make all index fragments again; return by recipe how many."""
    return {str(features.recipe): features.reindex() for features in _all_features(store)}


def collect_garbage(
    store: Path, *, grace_seconds: float = GRACE_SECONDS, delete: bool = False
) -> list[dict[str, Any]]:
    """Return what nobody will read again, with its size in bytes and the reason; or delete it."""
    recipes = _all_features(store)
    found = list(
        chain.from_iterable(
            features.collect_garbage(grace_seconds=grace_seconds, delete=delete)
            for features in recipes
        )
    )
    seen = {features.folder / "tmp" for features in recipes}
    folders = [path for path in store.glob("**/tmp") if path not in seen]
    found += collect(
        chain.from_iterable(drafts(path, grace_seconds) for path in folders), delete=delete
    )
    return [{"path": str(item.path), "bytes": item.size, "reason": item.reason} for item in found]


def list_store(store: Path) -> dict[str, Any]:
    """Return the data sets, recipes and runs of a store, a line of facts each."""
    _check_exists(store)
    sets = []
    for name in datasets(store):
        about = Manifest.read(store, name).summary()
        kept = ("dataset", "folder", "classes", "images", "train", "validation", "test")
        sets.append({key: about[key] for key in kept})
    return {
        "datasets": sets,
        "recipes": [str(recipe) for recipe in stored_recipes(store)],
        "runs": RunStore(store).table().drop(["classes"]).to_pylist(),
    }


stats_task = task(name="stats", **RETRIED)(stats)
verify_task = task(name="verify", **RETRIED)(verify)
reindex_task = task(name="reindex", **RETRIED)(reindex)
collect_task = task(name="collect garbage", **RETRIED)(collect_garbage)
list_task = task(name="list", **RETRIED)(list_store)


def _all_features(store: Path) -> list[FeatureStore]:
    _check_exists(store)
    return [FeatureStore(store, recipe) for recipe in stored_recipes(store)]


def _check_exists(store: Path) -> None:
    if not store.is_dir():
        raise NotInStore(f"{store}: there is no store; give its folder with --store")
