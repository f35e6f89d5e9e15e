"""The folders of a store's recipes: opening, repairing, and empty ones of interrupted writers."""

import logging
from collections.abc import Iterator
from pathlib import Path

from stores.errors import CorruptStore, NotInStore, StoreError
from stores.features.recipe import Recipe, read_recipe, write_recipe
from stores.features.shard import recipe_folders, recipe_in
from stores.features.store import FeatureStore
from stores.storage.garbage import Garbage, aged
from stores.storage.remote.mirror import at_address, delete_there, files_in, local_shard
from stores.storage.safe_files import IrregularFile, is_folder, status
from stores.storage.safe_folders import remove, walk

log = logging.getLogger("gargalo.store")


def features_in(store: Path, folder: Path) -> FeatureStore:
    """Return the features of a recipe's folder.

    Raises NotInStore if `recipe.json` is missing, CorruptStore if it is damaged or belongs to
    another folder, NewerFormat, or OSError.
    """
    try:
        recipe = read_recipe(folder)
    except FileNotFoundError as error:
        if _is_unfinished(folder):
            raise NotInStore(
                f"{folder}: a writer ended before its first shard; nothing is lost, and "
                "`python -m flows.maintain gc` lists it after the grace time"
            ) from error
        raise NotInStore(
            "recipe.json not found; `python -m flows.maintain reindex` restores it"
        ) from error
    if not recipe.fingerprint.startswith(folder.name):
        raise CorruptStore(
            f"{folder / 'recipe.json'}: recipe {recipe} belongs to another folder; "
            "`python -m flows.maintain reindex` restores the right one"
        )
    return FeatureStore(store, recipe, layers=())


def all_features(store: Path) -> Iterator[FeatureStore]:
    """Yield the features of each recipe of a store; unreadable ones are logged and skipped."""
    for folder in recipe_folders(store):
        try:
            yield features_in(store, folder)
        except (StoreError, OSError) as error:
            if isinstance(error, OSError) and error.errno is None:
                raise  # a lost connection: a retry may succeed
            log.warning("%s; left out", error)


def restore_recipes(store: Path) -> None:
    """Restore each `recipe.json` that is missing, damaged or of another folder, from a shard."""
    for folder in recipe_folders(store):
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
            delete_there(folder / "recipe.json")
            remove(folder / "recipe.json")
            write_recipe(recipe, folder)


def unfinished_folders(store: Path, grace_seconds: float) -> Iterator[Garbage]:
    """Yield the folders of recipes in which a writer ended before its first shard.

    Folders with drafts are left out, because the drafts are deleted first.
    """
    for folder in recipe_folders(store):
        if _is_unfinished(folder) and _has_no_file(folder):
            reason = "left by a writer that ended before its first shard"
            yield from aged(folder, reason, grace_seconds)


def _is_unfinished(folder: Path) -> bool:
    if status(folder / "recipe.json") or at_address(folder):
        return False
    return _has_no_file(folder, but_drafts=True)


def _has_no_file(folder: Path, *, but_drafts: bool = False) -> bool:
    try:
        return all(
            (but_drafts and path.parent == folder / "tmp") or is_folder(path)
            for path, _ in walk(folder)
        )
    except IrregularFile:  # too deep to be searched
        return False


def _recipe_of_shards(folder: Path) -> Recipe | None:
    for shard in files_in(folder / "shards", ".h5"):
        try:
            recipe = recipe_in(local_shard(shard))
        except (StoreError, OSError) as error:
            log.warning("%s; looking at the next shard", error)
            continue
        if recipe.fingerprint.startswith(folder.name):
            return recipe
    return None
