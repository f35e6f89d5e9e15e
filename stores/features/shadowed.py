"""Files of a recipe that no reader will ask for again."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from stores.errors import CorruptStore
from stores.features.index import Index, shard_sizes
from stores.features.quarantine import check_rows
from stores.features.shard import Shard
from stores.storage.garbage import Garbage, aged, drafts
from stores.storage.location import GRACE_SECONDS


def recipe_garbage(index: Index, grace_seconds: float = GRACE_SECONDS) -> Iterator[Garbage]:
    """Find the garbage in one recipe's folder: drafts, quarantined files, shadowed shards."""
    yield from drafts(index.place / "tmp", grace_seconds)
    quarantine, fragments = index.place / "quarantine", index.place / "index"
    for name in quarantine.files(".h5"):
        kept = "its whole rows were kept where it had an index"
        yield from aged(quarantine / name, f"quarantined as damaged; {kept}", grace_seconds)
    published = shard_sizes(index.place)
    for name in fragments.files(".parquet"):
        if name.removesuffix(".parquet") not in published:
            reason = "an index fragment without its shard"
            yield from aged(fragments / name, reason, grace_seconds)
    for digest in _shadowed(index):
        reason = "each of its features is read from another shard"
        yield from aged(index.shard_place(digest), reason, grace_seconds)


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
