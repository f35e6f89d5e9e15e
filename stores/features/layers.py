"""Layers: other stores under one's own, whose features are read and never written.

Which they are stands in the store's `layers.json`, so that whoever opens it knows: each flow, and
each worker on another machine. A layer's own layers are not followed.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from stores.errors import CorruptStore, NewerFormat, NotInStore, StoreError, StoreRefused
from stores.storage.json_files import ABSURD, read_object
from stores.storage.publish import publish_file, sync_folder
from stores.storage.remote.mirror import delete_there, is_store, pull, shown, store_path
from stores.storage.remote.objects import remote_of
from stores.storage.safe_files import IrregularFile, is_file, read_bytes, status
from stores.storage.safe_folders import remove

LAYERS_VERSION = 1
MOST_LAYERS = 64  # each is asked for each feature
_MOST = f"at most {MOST_LAYERS}"
_FIX = "say --read-through again (or --read-through none)"


def read_layers(root: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Return the folders of a store's layers, the first asked first; most stores have none.

    Raises CorruptStore or NewerFormat.
    """
    path = _path(root)
    pull(path)
    try:
        version, addresses = _content(path)
        newer = version > LAYERS_VERSION
        layers = () if newer else tuple(map(_layer, addresses))
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except StoreRefused as error:
        raise StoreRefused(f"{path}: {error}; or say --read-through none") from error
    except StoreError:
        raise  # of a layer's own mirror, or this is no regular file
    except ABSURD as error:
        raise CorruptStore(f"{path}: the file is damaged; {_FIX}") from error
    if newer:
        raise NewerFormat(
            f"{path}: layers of format version {version}, this software knows up to "
            f"{LAYERS_VERSION}; update gargalo to read them"
        )
    return layers


def _content(path: Path) -> tuple[int, list[str]]:
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
    if len(addresses) > MOST_LAYERS:
        raise CorruptStore(f"{path}: {len(addresses)} layers, expected {_MOST}; {_FIX}")
    return version, addresses


def remember_layers(root: str | os.PathLike[str], layers: Sequence[Path]) -> None:
    """Have a store read through to these from now on, and to no others; durably.

    Raises NotInStore where one is no store, and no empty folder that may become one; StoreError
    where it is the store itself, or they are too many; and what an address refuses.
    """
    path, store = _path(root), store_path(root)
    if len(layers) > MOST_LAYERS:
        raise StoreError(f"--read-through: {len(layers)} stores, expected {_MOST}; merge some")
    for layer in layers:
        pull(layer / "features")
        if not (_may_become_a_store(layer) or is_store(layer)):
            raise NotInStore(
                f"--read-through {shown(layer)}: there is no store; give the folder of one (which "
                "may be empty yet), or none"
            )
        if store.exists() and store.samefile(layer):
            raise StoreError(f"--read-through {layer}: that is the store itself; give another")
    about = {"format": LAYERS_VERSION, "layers": [shown(layer.absolute()) for layer in layers]}
    content = json.dumps(about, indent=2).encode()
    there = status(path) is not None
    if not layers and there:
        delete_there(path)
        remove(path)
        sync_folder(path.parent)
    elif layers and not (is_file(path) and read_bytes(path) == content):
        publish_file(content, path, tmp=store / "tmp")


def _layer(given: str) -> Path:
    """Return the folder of a layer; a relative one is not written here, and would be anywhere."""
    layer = store_path(given)
    if not layer.is_absolute() or "\0" in given:
        raise ValueError(given)
    return layer


def _may_become_a_store(layer: Path) -> bool:
    # There are no folders at an address, and so none that is something else.
    return remote_of(layer) is not None or (layer.is_dir() and not any(layer.iterdir()))


def _path(root: str | os.PathLike[str]) -> Path:
    return store_path(root) / "layers.json"
