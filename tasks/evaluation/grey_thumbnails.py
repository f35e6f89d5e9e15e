"""Grey thumbnails of a data set's images, by which copies are found; kept in the store."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from PIL import Image

from stores.dataset_places import manifest_place
from stores.errors import CorruptStore, NewerFormat, StoreFull, StoreReadOnly
from stores.keys import Keys, as_arrow, from_arrow
from stores.manifest import Images, Manifest
from stores.storage.location import Location, StoreLike
from stores.storage.safe_files import is_file
from stores.storage.stamped_parquet import read_table, table_bytes
from tasks.errors import InputError
from tasks.images.exif import OTHER_FILE, orientation, turn_of
from tasks.images.image_check import examined
from tasks.images.pillow_images import picture

SIDE = 16
VERSION = 1
_KIND = "thumbnails"
_SCHEMA = pa.schema([("key", pa.binary(32)), ("grey", pa.binary(SIDE * SIDE))])
_AT_ONCE = 256  # files that wait for a thread; each is read whole


def grey_thumbnails(manifest: Manifest, store: StoreLike) -> NDArray[np.uint8]:
    """Return the images of `manifest.select()` as (n, SIDE, SIDE) grey values, in that order.

    Zeros stand for an image whose file is gone, was changed, or cannot be read. What was read is
    kept beside the manifest, and read from there the next time: it is derived, and may be deleted.
    """
    images = manifest.select()
    place = manifest_place(store, manifest.name).parent / "thumbnails.parquet"
    grey = _kept(place, images.keys)
    missing = np.flatnonzero(~grey.any(axis=1))
    if _read(images, missing, Path(manifest.folder), grey):
        _keep(place, images.keys, grey)
    return grey.reshape(-1, SIDE, SIDE)


def grey_thumbnail(content: bytes) -> bytes:
    """Return an image file's SIDE × SIDE grey values, upright; none where it cannot be read."""
    try:
        grey = picture(content, turn=orientation(content), draft=4 * SIDE).convert("L")
    except InputError:
        return b""
    values = np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BOX))
    return bytes(np.maximum(values, 1).data)  # zeros alone mean that there is none


def _kept(place: Location, keys: Keys) -> NDArray[np.uint8]:
    """Return the thumbnails that are kept, (n, SIDE²), zeros for others.

    A damaged file is as none, and replaced.
    """
    grey = np.zeros((len(keys), SIDE * SIDE), np.uint8)
    place.refresh()
    if not is_file(place.path):
        return grey
    try:
        table, _ = read_table(place.path, kind=_KIND, version=VERSION)
    except (CorruptStore, NewerFormat, OSError, ValueError, KeyError):
        return grey
    if table.schema != _SCHEMA:
        return grey
    kept = table.drop_null()
    found = pc.index_in(kept["key"], value_set=as_arrow(keys))
    start = 0
    for chunk in kept["grey"].iterchunks():  # and not joined: that would be another copy
        places = found.slice(start, len(chunk))
        there = places.is_valid().to_numpy()
        grey[places.drop_null().to_numpy()] = from_arrow(chunk, SIDE * SIDE)[there]
        start += len(chunk)
    return grey


def _keep(place: Location, keys: Keys, grey: NDArray[np.uint8]) -> None:
    there = grey.any(axis=1)
    if not there.all():  # of a million images a copy is a quarter of a gigabyte
        keys, grey = keys[there], grey[there]
    columns = [as_arrow(keys), as_arrow(grey)]
    content = table_bytes(pa.table(columns, schema=_SCHEMA), kind=_KIND, version=VERSION)
    try:
        place.publish(content, tmp=place.parent / "tmp")
    except (StoreReadOnly, StoreFull, CorruptStore):  # CorruptStore: a folder in its place
        return  # it only saves time


def _read(images: Images, missing: NDArray[np.int64], folder: Path, grey: NDArray[np.uint8]) -> int:
    """Put the thumbnails of some images into the rows of `grey`; return how many there were."""
    read = 0
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(missing), _AT_ONCE):
            some = missing[start : start + _AT_ONCE]
            keys = map(bytes, images.keys[some])
            paths = (folder / name for name in images.paths.take(pa.array(some)).to_pylist())
            for place, found in zip(some, pool.map(_thumbnail_of, keys, paths), strict=True):
                if found:
                    grey[place] = np.frombuffer(found, np.uint8)
                    read += 1
    return read


def _thumbnail_of(key: bytes, path: Path) -> bytes:
    try:
        content = examined(path)
    except InputError:
        return b""
    return grey_thumbnail(content) if turn_of(content, key) != OTHER_FILE else b""
