"""Files of a recipe that no reader will ask for again."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from stores.errors import CorruptStore
from stores.features.index import Index, shard_sizes
from stores.features.quarantine import check_rows
from stores.features.shard import Shard
from stores.storage.garbage import Garbage, aged, drafts
from stores.storage.remote.folders import GRACE_SECONDS
from stores.storage.remote.mirror import files_in
from stores.storage.safe_folders import entries


def recipe_garbage(index: Index, grace_seconds: float = GRACE_SECONDS) -> Iterator[Garbage]:
    """Find the garbage in one recipe's folder: drafts, quarantined files, shadowed shards."""
    yield from drafts(index.folder / "tmp", grace_seconds)
    place = index.folder / "quarantine"
    here = [path for path, _ in entries(place) if path.suffix == ".h5"]  # links among them
    for path in sorted({*files_in(place, ".h5"), *here}):
        kept = "its whole rows were kept where it had an index"
        yield from aged(path, f"quarantined as damaged; {kept}", grace_seconds)
    published = shard_sizes(index.folder)
    for path in files_in(index.folder / "index", ".parquet"):
        if path.stem not in published:
            yield from aged(path, "an index fragment without its shard", grace_seconds)
    for digest in _shadowed(index):
        reason = "each of its features is read from another shard"
        yield from aged(index.shard_path(digest), reason, grace_seconds)


def _shadowed(index: Index) -> Iterator[str]:
    """Find shards of which no row is read, because whole twins of all rows are read instead."""
    for shard in list(index):
        ids = shard.identities
        joined = index.joined
        twins = joined.locate(joined.find(ids))
        if all(
            twin.digest != shard.digest and _whole(index, twin, numbers, ids[positions])
            for twin, positions, numbers in twins
        ):
            yield shard.digest


def _whole(index: Index, shard: Shard, numbers: NDArray[np.int64], ids: NDArray[np.uint8]) -> bool:
    try:
        rows = shard.map(index.local_shard(shard.digest))[numbers]
    except (FileNotFoundError, CorruptStore):
        return False
    return not check_rows(index.recipe, shard, numbers, ids, rows)
