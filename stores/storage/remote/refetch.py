"""Reading again what seems damaged: in a mirror it may be the copy alone that is."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from stores.errors import CorruptStore
from stores.storage.remote.mirror import pull
from stores.storage.remote.objects import remote_of
from stores.storage.safe_folders import remove

Found = TypeVar("Found")


def reread(path: Path, read: Callable[[Path], Found]) -> Found:
    """Return what `read` makes of a file or folder; where a mirror's is damaged, of a new copy.

    Raises CorruptStore where it is damaged in an ordinary store, or a second time.
    """
    try:
        return read(path)
    except CorruptStore:
        remote = remote_of(path)
        if remote is None:
            raise
        remove(path)
        remote.listings.forget()
        pull(path)
        return read(path)
