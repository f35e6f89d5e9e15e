"""Merging: a store takes over what is missing in it from another, which is only read."""

import hashlib
import shlex

from stores.dataset_places import dataset_lock, datasets, manifest_place
from stores.decisions.journal import take_over
from stores.errors import CorruptStore
from stores.features.index import Index
from stores.features.quarantine import usual_shape
from stores.features.read_only_index import ReadOnlyIndex
from stores.features.recipe import recipe_of, write_recipe
from stores.features.shard import Shard, unpack
from stores.features.store import FeatureStore
from stores.keys import KEY_BYTES
from stores.layout import locate
from stores.manifest import Manifest
from stores.merge.quantized import merge_quantized
from stores.merge.result import Merged
from stores.merge.runs import merge_runs
from stores.runs.checkpoints import unfinished
from stores.storage.location import Location, StoreLike
from stores.storage.safe_files import read_bytes, status


def merge(store: StoreLike, other: StoreLike) -> Merged:
    """Take over from `other` all features, data sets, quantised models and runs that are missing.

    Each shard, manifest and run is checked, and appears whole or not at all; so a call that was
    interrupted is called again. Raises StoreReadOnly or StoreFull; what is damaged in the other
    store is reported, and passed over.
    """
    root, source, merged = locate(store), locate(other), Merged()
    for place in root, source:
        place.refresh()
    for folder in (source / "features").folders():
        _merge_features(root, folder, merged)
    for name in datasets(source):
        _merge_dataset(root, source, name, merged)
    merge_quantized(root, source, merged)
    merge_runs(root, source, merged)
    merged.left += [
        f"fine-tuning {kept.place.name}: it is not finished; go on with it in {source}"
        for kept in unfinished(source)
    ]
    return merged


def _merge_features(root: Location, folder: Location, merged: Merged) -> None:
    """Take over the shards of one recipe of which some row would be read, and is lacking."""
    opened = None
    with merged.reported(f"features {folder.name}"):
        opened = _opened(root, folder, merged)
    if opened:
        ours, theirs = opened
        while lacking := _lacking(ours, theirs):
            shape = ours.feature_shape or usual_shape(theirs)
            for shard, rows in lacking:
                if _take_over(ours, theirs, shard, merged, shape):
                    merged.shards += 1
                    merged.features += rows
                    merged.bytes += shard.size


def _opened(root: Location, folder: Location, merged: Merged) -> tuple[FeatureStore, Index]:
    """Return our features of a recipe, and their index; raises where either is not as it was.

    Of their shards, one that cannot be read is reported, and passed over.
    """
    recipe = recipe_of(folder)
    ours, theirs = FeatureStore(root, recipe, layers=()), ReadOnlyIndex(folder, recipe)
    merged.damaged += [
        f"features {recipe}: {reason}; {_fix(folder)}" for reason in theirs.refresh().values()
    ]
    for unreadable in theirs.passed_over.values():
        with merged.reported(f"features {recipe}, a shard"):
            raise unreadable
    return ours, theirs


def _lacking(ours: FeatureStore, theirs: Index) -> list[tuple[Shard, int]]:
    """Return which of their shards have rows that are missing here, and how many."""
    joined = theirs.joined
    ids = joined.identities
    numbers = ids[:, KEY_BYTES:].copy().view("<u2").ravel()
    wanted = ids[ours.missing(ids[:, :KEY_BYTES], views=numbers)]
    return [(shard, len(rows)) for shard, _, rows in joined.locate(joined.find(wanted))]


def _take_over(
    ours: FeatureStore,
    theirs: Index,
    shard: Shard,
    merged: Merged,
    shape: tuple[int, ...] | None,
) -> bool:
    """Copy a shard, if it is whole and its rows have the shape of ours; return whether it was."""
    content = b""
    with merged.reported(f"features {theirs.recipe}"):
        shard, content = _checked(theirs, shard, shape)
    # Once taken over, or found damaged, it is out of the next turn: a whole twin may step in.
    theirs.discard(shard.digest)
    if not content:
        return False
    index = Index(ours.place, ours.recipe)
    write_recipe(ours.recipe, ours.place)
    index.shard_place(shard.digest).publish(content, tmp=ours.place / "tmp")
    index.write_fragment(shard)
    return True


def _checked(theirs: Index, shard: Shard, shape: tuple[int, ...] | None) -> tuple[Shard, bytes]:
    """Return a shard as its file gives it, and the file's bytes; raises CorruptStore."""
    path = theirs.local_shard(shard.digest)
    try:
        whole, content = unpack(path, theirs.recipe), read_bytes(path)
        if hashlib.sha256(content).hexdigest() != whole.digest:
            raise CorruptStore(f"{path}: the file has changed just now")  # noqa: TRY301
        if shape not in {None, whole.shape}:
            raise CorruptStore(f"{path}: its rows have shape {whole.shape}, expected {shape}")  # noqa: TRY301
    except CorruptStore as error:
        raise CorruptStore(f"{error}; {_fix(theirs.place)}") from error
    return whole, content


def _fix(folder: Location) -> str:
    store = shlex.quote(str(folder.parent.parent))
    return (
        f"python -m flows.maintain verify --store {store} keeps there what is whole of it: then "
        "merge again"
    )


def _merge_dataset(root: Location, source: Location, name: str, merged: Merged) -> None:
    """Take over a manifest as it is, where there is no data set of that name."""
    what, place = f"data set {name}", manifest_place(root, name)
    theirs, content = None, b""
    with merged.reported(what):
        theirs = Manifest.read(source, name)
        content = read_bytes(manifest_place(source, name).path)
    if theirs is None or not content:
        return
    if not status(place.path):
        with dataset_lock(root, name):
            if not status(place.path):  # nobody was quicker
                place.publish(content, tmp=place.parent / "tmp")
                merged.datasets += 1
                merged.bytes += len(content)
    with merged.reported(what, here=True):
        ours = Manifest.read(root, name)
        if ours.digest == theirs.digest or ours.folder == theirs.folder:
            merged.decisions += take_over(root, source, name)
        if ours.digest != theirs.digest:
            merged.left.append(
                f"{what}: another data set has that name here, of {ours.folder}; to have both, "
                f"rename {manifest_place(source, name).parent} and merge again, or ingest "
                f"{theirs.folder} with --store {root} and another --dataset"
            )
