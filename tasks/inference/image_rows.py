"""Features of image files, in or out of any data set: stored ones are reused, no others stored."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stores.errors import MissingFeatures
from stores.features.store import FeatureStore
from stores.keys import ImageKey, Rows
from stores.orientation import Orientation
from tasks.errors import InputError
from tasks.execution.progress import advance
from tasks.features.engines import Engine, Job, load_engine
from tasks.features.engines.choice import choose_engine
from tasks.features.feature_batches import feature_batches
from tasks.features.shard_work import checked
from tasks.images.exif import key_of
from tasks.images.image_check import examined
from tasks.images.pixel_batches import ImageFile, Rejection, pixel_batches

# Images that are looked up and computed at once; between two parts, the engine is idle.
IMAGES_AT_ONCE = 8192
_ROWS_AT_ONCE = 64  # of stored features, which may be feature maps


@dataclass(frozen=True)
class ImageRows:
    """Some images with their features, and some that cannot be used."""

    images: Sequence[ImageFile] = ()
    rows: Rows = field(default_factory=lambda: np.empty((0, 0), np.float32))
    cached: bool = False  # whether the features were in the store
    rejected: Sequence[Rejection] = ()


def image_rows(
    paths: Sequence[Path],
    job: Job,
    *,
    orientation: Orientation,
    batch_size: int,
    known: Mapping[Path, ImageKey] | None = None,
) -> Iterator[ImageRows]:
    """Yield each image's features or the reason why there are none, some images at a time.

    Those of the store come first. An image whose key is `known` is read only if its features are
    missing.
    """
    known = known or {}
    with ThreadPoolExecutor() as pool:
        keys = list(pool.map(lambda path: known.get(path) or _key(str(path), orientation), paths))
    images: list[ImageFile] = []
    rejected: list[Rejection] = []
    for path, key in zip(map(str, paths), keys, strict=True):
        if isinstance(key, ImageKey):
            images.append(ImageFile(key, path))
        else:
            rejected.append(Rejection(path, key, changed=False))
    advance(len(rejected))
    if rejected:
        yield ImageRows(rejected=rejected)
    if images:
        yield from _rows_of(images, job, batch_size)


def _rows_of(images: list[ImageFile], job: Job, batch_size: int) -> Iterator[ImageRows]:
    stored = FeatureStore(job.store, job.recipes[0])
    is_missing = stored.missing([image.key for image in images])
    done: set[str] = set()
    try:
        known = [image for image, lost in zip(images, is_missing, strict=True) if not lost]
        for at, rows in stored.batches([image.key for image in known], batch_size=_ROWS_AT_ONCE):
            some = [known[n] for n in at.tolist()]
            done |= {image.path for image in some}
            yield ImageRows(some, rows, cached=True)
            advance(len(at))
    except MissingFeatures:
        pass  # damaged features were set aside: they are computed again
    missing = [image for image in images if image.path not in done]
    if missing:
        engine = load_engine(choose_engine(job, len(missing)))
        for computed in _computed(missing, job, engine, batch_size):
            yield computed
            advance(len(computed.images) + len(computed.rejected))


def _computed(
    images: list[ImageFile], job: Job, engine: Engine, batch_size: int
) -> Iterator[ImageRows]:
    """Yield the features of images that have to be computed, batch by batch."""
    recipe, done = job.recipes[0], set[str]()
    try:
        with pixel_batches(images, Path(), recipe, batch_size=batch_size) as decoded:
            for batch, (rows,) in feature_batches(decoded, engine):
                done |= {image.path for image in batch.images}
                done |= {bad.path for bad in batch.rejected}
                yield ImageRows(
                    batch.images,
                    checked(rows, recipe, batch.images),
                    rejected=batch.rejected,
                )
    except InputError as error:  # an image that does not fit the recipe
        if len(images) == 1:
            yield ImageRows(rejected=[Rejection(images[0].path, str(error), changed=False)])
            return
        for image in images:
            if image.path not in done:
                yield from _computed([image], job, engine, batch_size)


def _key(path: str, orientation: Orientation) -> ImageKey | str:
    """Return the key of a file's content, or the reason why it is rejected."""
    try:
        return key_of(examined(path), orientation)
    except InputError as error:
        return str(error)


def written(path: Path | str) -> str:
    """Return a path as text, with bytes that are not UTF-8 as escapes."""
    return os.fsencode(path).decode(errors="backslashreplace")
