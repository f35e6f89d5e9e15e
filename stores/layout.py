"""What lies where in a store, and where a store is: the one place that opens a location."""

import os
import re
from pathlib import Path

from stores.storage.addresses import check_length, check_slashes, checked, folder_at, may_be_mirror
from stores.storage.location import Location, StoreLike, local_folder
from stores.storage.rules import Rules
from stores.storage.safe_files import note_root

# The folders of a store, wherever it is.
PARTS = (
    "features",
    "datasets",
    "runs",
    "checkpoints",
    "reports",
    "quantized",
    "engines",
    "remembered",
)
RULES = Rules(
    records=frozenset({"run.json", "checkpoint.json", "quantized.json"}),
    recorded=re.compile("(runs/[^/]+|quantized/[^/]+|checkpoints/[^/]+/[^/]+)/"),
    kept="test",  # of a run, its test evaluations: whatever befalls the rest, they are counted
    machine=frozenset({"tmp", "sample", "engines", "remembered", "skipped"}),
    apart=frozenset(
        {
            "shards",
            "index",
            "quarantine",
            "model",
            "checkpoints",
            "decisions",
            "reports",
            "quantized",
            "runs.parquet",
        }
    ),
    large=frozenset({"model", "checkpoints", "reports", "quantized"}),
    replaced=frozenset({"manifest.parquet"}),
    cached="features/*/shards/*.h5",
)


def locate(store: StoreLike) -> Location:
    """Return the location of a store that is given by its folder or its address.

    Nothing is read or written. Raises StoreRefused for an address that is none, or a name that is
    too long.

    Example:
        >>> locate("s3://bucket/prefix").show()
        's3://bucket/prefix'
    """
    if isinstance(store, Location):
        note_root(store.store)  # one that is relative may be elsewhere by now
        return store
    text = os.fspath(store)
    check_length(text)
    check_slashes(text)
    if "://" not in text:
        return _folder(Path(store))
    address = checked(text)
    if folder := folder_at(address):
        return _folder(folder)
    from stores.storage.remote.mirror import mirror_of  # of those who give an address, alone

    return mirror_of(address, RULES)


def is_store(root: Location) -> bool:
    """Return whether there is a store."""
    return any(place.name in {"datasets", "features", "runs"} for place in root.folders())


def _folder(folder: Path) -> Location:
    if may_be_mirror(folder):
        from stores.storage.remote.cache import address_of

        if address := address_of(folder):
            return locate(address)
    return local_folder(folder, RULES)
