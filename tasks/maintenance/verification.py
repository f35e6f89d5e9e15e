"""Verification: every byte of what is stored is read, and what is wrong with each part is listed.

Whatever cannot be read is listed too, and keeps nothing else from being read.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stores.errors import StoreError, StoreRefused
from stores.features.layers import read_layers
from stores.layout import PARTS
from stores.manifest import Manifest, datasets
from stores.runs.checkpoints import all_checkpoints, is_stored
from stores.runs.store import RunStore
from stores.storage.location import Location
from stores.storage.safe_files import status
from stores.storage.safe_folders import irregular
from tasks.maintenance.recipe_folders import features_in

Found = dict[str, list[str]]


def verify_all(store: Location) -> Found:
    """Return what is wrong with each part of a store, by its name; an empty list if nothing is.

    Damaged features are set aside; anything else is left as it is, and its fix is named. Raises
    StoreRefused, or an OSError where the connection to an address is lost.
    """
    found: Found = {}
    for part, verify in _PARTS.items():
        with _listed(found, part):
            verify(store, found)
    return found


def _features(store: Location, found: Found) -> None:
    for folder in (store / "features").folders():
        name = f"features {folder.name}"
        with _listed(found, name):
            features = features_in(store, folder)
            name = f"features {features.recipe}"
            with _listed(found, name):
                found[name] = features.verify()


def _datasets(store: Location, found: Found) -> None:
    for name in datasets(store):
        found[f"data set {name}"] = []
        with _listed(found, f"data set {name}"):
            Manifest.read(store, name)


def _runs(store: Location, found: Found) -> None:
    found |= RunStore(store).verify()


def _checkpoints(store: Location, found: Found) -> None:
    runs = RunStore(store)
    for kept in all_checkpoints(store):
        name = f"fine-tuning {kept.place.name}"
        with _listed(found, name):
            if kept.stats().checkpoints and not is_stored(runs, kept.folder.name):
                found[name] = kept.verify()


def _layers(store: Location, _found: Found) -> None:
    read_layers(store)


def _irregular(store: Location, found: Found) -> None:
    for part in PARTS:
        name = f"what is no file in {part}"
        with _listed(found, name):
            path = (store / part).path
        if status(path) and (said := irregular(path)):
            found[name] = said


_PARTS: dict[str, Callable[[Location, Found], None]] = {
    "features": _features,
    "data sets": _datasets,
    "runs": _runs,
    "fine-tunings": _checkpoints,
    "layers.json": _layers,
    "other files": _irregular,
}


@contextmanager
def _listed(found: Found, name: str) -> Iterator[None]:
    """List under a name what keeps the block from being done; and go on."""
    try:
        yield
    except StoreRefused:
        raise
    except StoreError as error:
        found.setdefault(name, []).append(str(error))
    except OSError as error:
        if error.errno is None:  # the system's own errors have a number
            raise
        found.setdefault(name, []).append(f"{error.filename}: it cannot be read: {error.strerror}")
