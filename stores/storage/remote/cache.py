"""The cache: the folder of this machine in which the mirrors of addresses lie, and nothing else.

All of it can be deleted at any time. No folder elsewhere is a mirror, whatever it holds: who made a
store does not decide what is put where.
"""

import errno
import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from stores.errors import CorruptStore, StoreRefused, newer_format
from stores.storage.json_files import ABSURD, read_object
from stores.storage.publish import make_folder
from stores.storage.safe_files import create, is_file, note_root, read_bytes
from stores.storage.safe_folders import remove, rename

MARK = "remote.json"  # of a mirror: it says what it is of
MIRROR_VERSION = 1
CACHE_BYTES = 20 * 2**30
# What a folder answers that was badly chosen, and not a disk that fails or is full.
_UNFIT = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}


def cache_folder() -> Path:
    """Return the folder of all mirrors, GARGALO_CACHE; raises StoreRefused for an address."""
    given = os.environ.get("GARGALO_CACHE") or "~/.cache/gargalo"
    if "://" in given:
        raise StoreRefused(f"GARGALO_CACHE: expected a folder. Received: {given!r}")
    return Path(given).expanduser().absolute()


def cache_limit() -> int:
    """Return how many bytes of shards a mirror may have, GARGALO_CACHE_BYTES."""
    given = os.environ.get("GARGALO_CACHE_BYTES") or str(CACHE_BYTES)
    if not given.isdecimal():
        raise StoreRefused(f"GARGALO_CACHE_BYTES: expected a number of bytes. Received: {given!r}")
    return int(given)


def mirror_folder(address: str) -> Path:
    """Return the folder of an address's mirror; nothing need be there."""
    return note_root(cache_folder() / folder_name(address))


def folder_name(address: str) -> str:
    """Return the name of the mirror of an address."""
    return hashlib.sha256(address.encode()).hexdigest()[:16]


def address_of(folder: Path) -> str | None:
    """Return the address that a folder in the cache is the mirror of; None for any other folder.

    Raises NewerFormat, or CorruptStore where its mark is damaged or of another address.
    """
    if os.path.realpath(folder.parent) != os.path.realpath(cache_folder()):
        return None
    if not is_file(note_root(folder) / MARK):
        return None
    address = _marked(folder)
    if folder_name(address) != folder.name:
        raise CorruptStore(f"{folder}: the mirror of another address, {address}; delete it")
    return address


def make_mirror(folder: Path, address: str, limit: int) -> bool:
    """Make the folder of a mirror, with its mark, where it is not there; tell if it was not.

    Raises NewerFormat, and StoreRefused where nothing can be kept in the cache, whatever disk it
    is on.
    """
    about = {"format": MIRROR_VERSION, "address": address, "limit": limit}
    content = json.dumps(about, indent=2).encode()
    if is_file(folder / MARK):
        if read_bytes(folder / MARK) == content:
            return False
        with suppress(CorruptStore):  # it is made anew; a newer one is not
            _marked(folder)
    try:
        make_folder(folder)
        draft = folder / f"{MARK}.{os.getpid()}"
        remove(draft)  # of a process of the same number, that died
        with create(draft) as file:
            file.write(content)
        rename(draft, folder / MARK)
    except OSError as error:
        if error.errno not in _UNFIT:
            raise
        raise StoreRefused(
            f"{cache_folder()}: {error.strerror}; what is fetched of an address is kept there: "
            "give another folder by GARGALO_CACHE"
        ) from error
    return True


def _marked(folder: Path) -> str:
    try:
        about = read_object(folder / MARK)
        newer = about["format"] > MIRROR_VERSION
        address = "" if newer else str(about["address"])
    except ABSURD as error:
        raise CorruptStore(f"{folder / MARK}: damaged; delete it, and call again") from error
    if newer:
        fix = "read it, or give another GARGALO_CACHE"
        raise newer_format(f"{folder / MARK}: a mirror", about["format"], MIRROR_VERSION, use=fix)
    return address
