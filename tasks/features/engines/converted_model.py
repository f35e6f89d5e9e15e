"""The record of a converted model: its agreement with Keras, and the digests of its files.

The record has a digest of itself. If that is wrong, a file is damaged or missing, the format is
an earlier one, or the figures exceed the tolerance, the model is converted again.
"""

import hashlib
import json
import logging
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stores.errors import CorruptStore, StoreError
from stores.storage.digests import json_digest
from stores.storage.json_files import ABSURD, as_record, read_object
from stores.storage.safe_files import is_file, open_regular, status, write_new
from stores.storage.safe_folders import remove
from tasks.features.agreement import Agreement

log = logging.getLogger("gargalo.extract")

MODEL_FILES = ("model.xml", "model.bin")
_RECORD, _FORMAT = "agreement.json", 2
_PLACE = ("format", "identity", "agreement", "sha256", "digest")


def write_record(folder: Path, identity: dict[str, Any], figures: dict[str, Any]) -> None:
    """Write the record of the converted model in a folder."""
    about = {
        "format": _FORMAT,
        "identity": identity,
        "agreement": figures,
        "sha256": {name: _digest(folder / name) for name in MODEL_FILES},
    }
    text = json.dumps(about | {"digest": json_digest(about)}, indent=2)
    write_new(folder / _RECORD, text.encode())


def has_record(folder: Path, identity: dict[str, Any]) -> bool:
    """Return whether a converted model is stored; its files are not read."""
    with suppress(OSError, *ABSURD):
        _record(folder, identity)
        return all(is_file(folder / name) for name in MODEL_FILES)
    return False


def kept_agreement(folder: Path, identity: dict[str, Any]) -> dict[str, Any] | None:
    """Return the figures of a stored model's agreement with Keras; a damaged one is removed."""
    if status(folder) is None:
        return None
    try:
        figures = _checked(folder, identity)
    except (OSError, *ABSURD) as error:
        reason = " ".join(str(error).split())[:200]
        log.warning("%s: the converted model is damaged: %s; it is converted again", folder, reason)
    else:
        return figures
    with suppress(OSError, StoreError):
        remove(folder)
    return None


def _checked(folder: Path, identity: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of an undamaged model; raises OSError, or one of ABSURD."""
    figures, digests = _record(folder, identity)
    for name in MODEL_FILES:
        if digests[name] != _digest(folder / name):
            raise CorruptStore(f"{folder / name}: the digest does not match")
    return figures


def _record(folder: Path, identity: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return a record's figures and digests; raises OSError, or one of ABSURD."""
    about = read_object(folder / _RECORD)
    if tuple(about) != _PLACE or about["format"] != _FORMAT:
        raise CorruptStore(f"{_RECORD} has another format")
    if about.pop("digest") != json_digest(about) or about["identity"] != identity:
        raise CorruptStore(f"{_RECORD} has changed")
    figures = as_record(Agreement, about["agreement"])
    if not figures.within_tolerance or set(about["sha256"]) != set(MODEL_FILES):
        raise CorruptStore(f"{_RECORD} has no valid agreement, or no digests of all files")
    return asdict(figures), dict(about["sha256"])


def _digest(path: Path) -> str:
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
