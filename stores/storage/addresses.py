"""Addresses of stores, as `s3://bucket/prefix`: which are meant, and which are refused.

An address may stand in a file of a store that somebody else made, as `layers.json`. fsspec knows
many more kinds, some of which read files of this machine, open archives, or chain one to another.
"""

import os
import re
from pathlib import Path

from stores.errors import StoreRefused

# Object stores whose PUT is atomic, and folders. Tests add what keeps its files in memory.
PROTOCOLS = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "file", "local"}
_FOLDERS = {"file", "local"}
_LONGEST_NAME, _LONGEST_PATH = 255, 4000  # bytes; a system's limits, with room for what is below
_MIRROR = re.compile("[0-9a-f]{16}")
_FEW_SLASHES = re.compile("([a-z][a-z0-9+.-]+):/?(?!/)")
# A secret key may hold a "/": whatever stands before an "@" is taken for one if it holds a ":".
_SECRET = re.compile(r"[?#]|://[^@]*:[^@]*@|://[^/]*@(?!.*\.windows\.net)")


def checked(address: str) -> str:
    """Return an address as all call it; raises StoreRefused for one that is not meant.

    One with credentials in it is not repeated.
    """
    protocol, _, rest = address.partition("://")
    if _SECRET.search(address):
        raise StoreRefused(
            f"{protocol}://…: an address with a user, a password, a key or options in it, which a "
            "'?', a '#' or an '@' after a ':' is taken for; credentials belong in the environment "
            "(AWS_ACCESS_KEY_ID, …) or in AWS's own files"
        )
    if "::" in address:
        raise StoreRefused(
            f"{address}: an address that leads to another ('::') is not opened; give a folder, or "
            "one address, as s3://bucket/prefix"
        )
    if protocol not in PROTOCOLS or not rest.strip("/"):
        known = ", ".join(f"{name}://" for name in sorted(PROTOCOLS - _FOLDERS))
        raise StoreRefused(
            f"{address}: expected a folder, or an address as s3://bucket/prefix; addresses may "
            f"begin with {known} or file://"
        )
    if protocol in _FOLDERS and not rest.startswith("/"):
        raise StoreRefused(
            f"{address}: expected a whole path after {protocol}://, as {protocol}:///data/store, "
            "and no host; give the folder itself where it is a relative one"
        )
    return f"{protocol}://{rest.rstrip('/')}"


def folder_at(address: str) -> Path | None:
    """Return the folder of this machine that an address is of, or None."""
    protocol, _, path = address.partition("://")
    return Path(path).absolute() if protocol in _FOLDERS else None


def may_be_mirror(folder: Path) -> bool:
    """Return whether a folder has the name of a mirror in the cache."""
    return _MIRROR.fullmatch(folder.name) is not None


def check_slashes(text: str) -> None:
    """Raise StoreRefused where one of an address's slashes is missing: it would be a folder."""
    found = _FEW_SLASHES.match(text)
    if found and found[1] in PROTOCOLS and not Path(text).exists():
        raise StoreRefused(f"{text}: an address has two slashes, as s3://bucket/prefix")


def check_length(text: str) -> None:
    """Raise StoreRefused where no file system and no bucket takes a name, which is cut here."""
    parts = [] if "://" in text and not folder_at(text) else text.split("/")
    longest = max((len(os.fsencode(part)) for part in parts), default=0)
    whole = len(os.fsencode(text))
    if longest > _LONGEST_NAME or whole > _LONGEST_PATH:
        shown = text.partition("://")[0][:40]  # a key in an address is not repeated
        raise StoreRefused(
            f"{shown}…: a name of {longest or whole} bytes in {whole}, expected at "
            f"most {_LONGEST_NAME} in {_LONGEST_PATH}; give another folder or address"
        )
