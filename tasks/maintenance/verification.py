"""Verification: everything in a store is read, and the damage of each part is listed.

What cannot be read is listed too, and does not stop the verification of other parts.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stores.dataset_places import datasets
from stores.decisions.journal import findings
from stores.errors import StoreError, StoreRefused
from stores.features.layers import read_layers
from stores.layout import PARTS
from stores.manifest import Manifest
from stores.quantized import check_model, model_places, named_model
from stores.runs.checkpoints import all_checkpoints, is_stored
from stores.runs.store import RunStore
from stores.storage.location import Location
from stores.storage.safe_files import status
from stores.storage.safe_folders import irregular
from tasks.maintenance.recipe_folders import features_in

Found = dict[str, list[str]]


def verify_all(store: Location) -> Found:
    """Return what is wrong with each part of a store, by its name; an empty list if nothing is.

    Damaged features are set aside; other parts are not changed, and the fix is given. Raises
    StoreRefused, or an OSError if the connection to an address is lost.
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
                if features.recipe.compute_precision == "int8":
                    named_model(store, features.recipe)  # new images and predictions need it


def _datasets(store: Location, found: Found) -> None:
    for name in datasets(store):
        found[f"data set {name}"] = []
        with _listed(found, f"data set {name}"):
            Manifest.read(store, name)
            found[f"data set {name}"] = list(findings(store, name))


def _quantized(store: Location, found: Found) -> None:
    for place in model_places(store):
        name = f"quantised model {place.name}"
        found[name] = []
        with _listed(found, name):
            check_model(place)


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
        if status(path) and (irregular_files := irregular(path)):
            found[name] = irregular_files


_PARTS: dict[str, Callable[[Location, Found], None]] = {
    "features": _features,
    "data sets": _datasets,
    "quantised models": _quantized,
    "runs": _runs,
    "fine-tunings": _checkpoints,
    "layers.json": _layers,
    "other files": _irregular,
}


@contextmanager
def _listed(found: Found, name: str) -> Iterator[None]:
    """List an error of the block under a name, and continue."""
    try:
        yield
    except StoreRefused:
        raise
    except StoreError as error:
        found.setdefault(name, []).append(str(error))
    except OSError as error:
        if error.errno is None:  # not an error of the operating system
            raise
        found.setdefault(name, []).append(f"{error.filename}: cannot be read: {error.strerror}")
