"""Digests of files and of JSON, by which damage is found out."""

import hashlib
import json
from pathlib import Path
from typing import Any

from stores.storage.safe_files import open_regular
from stores.storage.safe_folders import files_below


def damage(
    folder: Path, expected: dict[str, str], found: dict[str, str], *, what: str = "model"
) -> str | None:
    """Say of which file of a model the digest is not the one that is expected, if there is one.

    `what` says what it is, where it is no model.
    """
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            return (
                f"{folder / name}: the {what} is damaged (SHA-256: expected "
                f"{expected.get(name, 'no file')}, found {found.get(name, 'no file')})"
            )
    return None


def json_digest(body: dict[str, Any], *, allow_nan: bool = False) -> str:
    """Return the SHA-256 of what JSON can hold, however it is written there.

    Raises ValueError for NaN and infinity, which JSON has not, unless they are allowed.
    """
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=allow_nan)
    return hashlib.sha256(text.encode()).hexdigest()


def file_digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file below a folder, by its path there; raises IrregularFile."""
    digests = {}
    for path in files_below(folder):
        with open_regular(path) as file:
            name = path.relative_to(folder).as_posix()
            digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests
