"""Grey thumbnails of a data set's images, by which copies are found; kept in the store."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from stores.errors import CorruptStore, NewerFormat, StoreFull, StoreReadOnly
from stores.keys import Keys
from stores.manifest import Manifest, manifest_place
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
_NONE = bytes(SIDE * SIDE)
_AT_ONCE = 256  # files that wait for a thread; each is read whole


def grey_thumbnails(manifest: Manifest, store: StoreLike) -> NDArray[np.uint8]:
    """Return the images of `manifest.select()` as (n, SIDE, SIDE) grey values, in that order.

    Zeros stand for an image whose file is gone, was changed, or cannot be read. What was read is
    kept beside the manifest, and read from there the next time: it is derived, and may be deleted.
    """
    images = manifest.select()
    place = manifest_place(store, manifest.name).parent / "thumbnails.parquet"
    known = _kept(place)
    missing = {
        bytes(key): Path(manifest.folder) / name
        for key, name in zip(images.keys, images.paths.to_pylist(), strict=True)
        if bytes(key) not in known
    }
    read = _read(missing)
    if read:
        known |= read
        _keep(place, known, images.keys)
    content = b"".join(known.get(bytes(key), _NONE) for key in images.keys)
    return np.frombuffer(content, np.uint8).reshape(-1, SIDE, SIDE)


def grey_thumbnail(content: bytes) -> bytes:
    """Return an image file's SIDE × SIDE grey values, upright; none where it cannot be read."""
    try:
        grey = picture(content, turn=orientation(content), draft=4 * SIDE).convert("L")
    except InputError:
        return b""
    values = np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BOX))
    return bytes(np.maximum(values, 1).data)  # zeros alone mean that there is none


def _kept(place: Location) -> dict[bytes, bytes]:
    """Return the thumbnails that are kept; a damaged file is as none, and replaced."""
    place.refresh()
    if not is_file(place.path):
        return {}
    try:
        table, _ = read_table(place.path, kind=_KIND, version=VERSION)
    except (CorruptStore, NewerFormat, OSError, ValueError, KeyError):
        return {}
    if table.schema != _SCHEMA:
        return {}
    rows = zip(table["key"].to_pylist(), table["grey"].to_pylist(), strict=True)
    return {key: grey for key, grey in rows if key and grey}


def _keep(place: Location, known: dict[bytes, bytes], keys: Keys) -> None:
    listed = [bytes(key) for key in keys if bytes(key) in known]
    table = pa.table({"key": listed, "grey": [known[key] for key in listed]}, schema=_SCHEMA)
    content = table_bytes(table, kind=_KIND, version=VERSION)
    try:
        place.publish(content, tmp=place.parent / "tmp")
    except (StoreReadOnly, StoreFull, CorruptStore):  # CorruptStore: a folder in its place
        return  # it only saves time


def _read(paths: dict[bytes, Path]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    items = list(paths.items())
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(items), _AT_ONCE):
            some = items[start : start + _AT_ONCE]
            found |= _whole(zip(some, pool.map(_thumbnail_of, some), strict=True))
    return found


def _whole(read: Iterable[tuple[tuple[bytes, Path], bytes]]) -> dict[bytes, bytes]:
    return {key: grey for (key, _), grey in read if grey}


def _thumbnail_of(image: tuple[bytes, Path]) -> bytes:
    key, path = image
    try:
        content = examined(path)
    except InputError:
        return b""
    return grey_thumbnail(content) if turn_of(content, key) != OTHER_FILE else b""
