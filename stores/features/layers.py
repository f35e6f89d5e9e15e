"""Layers: other stores under one's own, whose features are read and never written.

Which they are stands in the store's `layers.json`, so that whoever opens it knows: each flow, and
each worker on another machine. A layer's own layers are not followed.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from stores.errors import CorruptStore, NotInStore, StoreError, StoreRefused, newer_format
from stores.layout import is_store, locate
from stores.storage.json_files import ABSURD, read_object
from stores.storage.location import Location, StoreLike
from stores.storage.safe_files import IrregularFile, is_file, read_bytes

LAYERS_VERSION = 1
_NAME = "layers.json"
MOST_LAYERS = 64  # each is searched for each feature
_MOST = f"at most {MOST_LAYERS}"
_FIX = "say --read-through again (or --read-through none)"


def read_layers(root: StoreLike) -> tuple[Location, ...]:
    """Return the locations of a store's layers, in the order of search; most stores have none.

    Raises CorruptStore or NewerFormat.
    """
    place = locate(root) / _NAME
    place.refresh()
    path = place.path
    try:
        return tuple(map(_layer, _addresses(path)))
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except StoreRefused as error:
        raise StoreRefused(f"{path}: {error}; or say --read-through none") from error
    except StoreError:
        raise  # of this file, or of a layer's own mirror
    except ABSURD as error:
        raise CorruptStore(f"{path}: the file is damaged; {_FIX}") from error


def _addresses(path: Path) -> list[str]:
    try:
        about = read_object(path)
        version = about["format"]
        if type(version) is not int:
            raise TypeError(version)
        addresses = [] if version > LAYERS_VERSION else about["layers"]
        if not isinstance(addresses, list) or not all(isinstance(a, str) for a in addresses):
            raise TypeError(addresses)
    except IrregularFile:
        raise
    except ABSURD as error:
        raise CorruptStore(f"{path}: the file is damaged; {_FIX}") from error
    if version > LAYERS_VERSION:
        raise newer_format(f"{path}: layers", version, LAYERS_VERSION, use="read them")
    if len(addresses) > MOST_LAYERS:
        raise CorruptStore(f"{path}: {len(addresses)} layers, expected {_MOST}; {_FIX}")
    return addresses


def remember_layers(root: StoreLike, layers: Sequence[StoreLike]) -> None:
    """Have a store read through to these from now on, and to no others; durably.

    Raises NotInStore where one is no store, and no empty folder that may become one; StoreError
    where it is the store itself, or they are too many; and what an address refuses.
    """
    store, places = locate(root), list(map(locate, layers))
    place = store / _NAME
    if len(layers) > MOST_LAYERS:
        raise StoreError(f"--read-through: {len(layers)} stores, expected {_MOST}; merge some")
    for layer in places:
        (layer / "features").refresh()
        is_empty = layer.path.is_dir() and not (layer.files("") or layer.folders())
        if not (is_empty or is_store(layer)):
            raise NotInStore(
                f"--read-through {layer}: there is no store; give the folder of one (which "
                "may be empty yet), or none"
            )
        if store.same_as(layer):
            raise StoreError(f"--read-through {layer}: that is the store itself; give another")
    about = {"format": LAYERS_VERSION, "layers": [layer.absolute().show() for layer in places]}
    content = json.dumps(about, indent=2).encode()
    if not layers:
        place.delete()
    elif not (is_file(place.path) and read_bytes(place.path) == content):
        place.publish(content, tmp=store / "tmp")


def _layer(given: str) -> Location:
    """Return the location of a layer; a relative one is not written here, and would be anywhere."""
    layer = locate(given)
    if not layer.path.is_absolute() or "\0" in given:
        raise ValueError(given)
    return layer
