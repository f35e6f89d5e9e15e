"""Where the data sets of a store lie, and the lock of each."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from stores.errors import StoreError
from stores.layout import locate
from stores.storage.location import Location, StoreLike
from stores.storage.safe_files import status
from stores.storage.safe_folders import folders

_NAME = re.compile(r"(?![A-Za-z]:)[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*")  # of a data set


@contextmanager
def dataset_lock(store: StoreLike, name: str) -> Iterator[None]:
    """Hold a data set while its manifest is read, changed and written; others wait."""
    with (manifest_place(store, name).parent / "lock").locked():
        yield


def datasets(store: StoreLike) -> list[str]:
    """Return the names of a store's data sets."""
    folder = locate(store) / "datasets"
    folder.refresh()
    names = [path.name for path in folders(folder.path) if status(path / "manifest.parquet")]
    return [name for name in names if _NAME.fullmatch(name)]


def manifest_place(store: StoreLike, name: str) -> Location:
    """Return where a data set's manifest lies; raises StoreError on a name that is no folder's."""
    if not _NAME.fullmatch(name) or len(os.fsencode(name)) > 200:
        raise StoreError(
            f"{name!r} cannot name a data set: expected 1 to 200 bytes on one line, no slash or "
            "backslash, no dot or drive (as C:) in front; give another --dataset"
        )
    return (locate(store) / "datasets").within(name) / "manifest.parquet"
