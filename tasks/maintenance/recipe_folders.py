"""The folders of a store's recipes: opening, repairing, and empty ones of interrupted writers."""

import logging
from collections.abc import Iterator

from stores.errors import CorruptStore, NotInStore, StoreError
from stores.features.recipe import Recipe, read_recipe, recipe_of, write_recipe
from stores.features.shard import recipe_in
from stores.features.store import FeatureStore
from stores.storage.garbage import Garbage, aged
from stores.storage.location import IRREGULAR, Location
from stores.storage.safe_files import IrregularFile, status

log = logging.getLogger("gargalo.store")


def features_in(store: Location, folder: Location) -> FeatureStore:
    """Return the features of a recipe's folder.

    Raises NotInStore if `recipe.json` is missing, CorruptStore if it is damaged or belongs to
    another folder, NewerFormat, or OSError.
    """
    if _is_unfinished(folder):
        raise NotInStore(
            f"{folder}: a writer ended before its first shard; nothing is lost, and "
            "`python -m flows.maintain gc` lists it after the grace time"
        )
    return FeatureStore(store, recipe_of(folder), layers=())


def all_features(store: Location) -> Iterator[FeatureStore]:
    """Yield the features of each recipe of a store; unreadable ones are logged and skipped."""
    for folder in (store / "features").folders():
        try:
            yield features_in(store, folder)
        except (StoreError, OSError) as error:
            if isinstance(error, OSError) and error.errno is None:
                raise  # a lost connection: a retry may succeed
            log.warning("%s; left out", error)


def restore_recipes(store: Location) -> None:
    """Restore each `recipe.json` that is missing, damaged or of another folder, from a shard."""
    for folder in (store / "features").folders():
        try:
            if read_recipe(folder).fingerprint.startswith(folder.name):
                continue
        except FileNotFoundError:
            pass
        except IrregularFile as error:
            log.warning("%s", error)
            continue
        except CorruptStore as error:
            log.warning("%s; looking for it in a shard", error)
        except (StoreError, OSError):  # newer or unreadable: it may be undamaged
            continue
        if recipe := _recipe_of_shards(folder):
            (folder / "recipe.json").delete()
            write_recipe(recipe, folder)


def unfinished_folders(store: Location, grace_seconds: float) -> Iterator[Garbage]:
    """Find the folders of recipes in which a writer ended before its first shard.

    Folders with drafts are left out, because the drafts are deleted first.
    """
    for folder in (store / "features").folders():
        if _is_unfinished(folder) and _is_empty(folder):
            reason = "left by a writer that ended before its first shard"
            yield from aged(folder, reason, grace_seconds)


def _is_unfinished(folder: Location) -> bool:
    return not status((folder / "recipe.json").path) and _is_empty(folder, but="tmp")


def _is_empty(folder: Location, *, but: str = "") -> bool:
    """Return whether nothing is in a folder, nor in the folders in it, but in that of this name."""
    inner = {place.name: place for place in folder.folders()}
    return folder.files("").keys() <= inner.keys() and not any(
        place.files("") or place.folders() for name, place in inner.items() if name != but
    )


def _recipe_of_shards(folder: Location) -> Recipe | None:
    shards = folder / "shards"
    for name, about in shards.files(".h5").items():
        if about.size == IRREGULAR:
            continue
        try:
            recipe = recipe_in((shards / name).local(sha256=name.removesuffix(".h5")))
        except (StoreError, OSError) as error:
            log.warning("%s; looking at the next shard", error)
            continue
        if recipe.fingerprint.startswith(folder.name):
            return recipe
    return None
