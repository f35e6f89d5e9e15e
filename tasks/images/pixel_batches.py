"""Batches of image files, read, checked and decoded ahead of use."""

import errno
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Self, overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stores.features.recipe import Recipe
from stores.keys import ImageKey, Keys, Views, as_keys, as_views
from stores.manifest import Images
from tasks.errors import InputError, UndecodableImage
from tasks.execution.keras_backend import check_backend
from tasks.images.batches_ahead import batches_ahead
from tasks.images.exif import OTHER_FILE, turn_of
from tasks.images.headers import decoder
from tasks.images.image_check import Examined, check_header, unreadable
from tasks.images.image_files import read_image

# Error codes of a file that is missing or cannot be read: a retry does not help.
_FILES_FAULT = {
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ELOOP,
    errno.EACCES,
    errno.EPERM,
    errno.ENAMETOOLONG,
    errno.ENXIO,  # a socket
    errno.ENODEV,
}


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image and the path of its file."""

    key: ImageKey
    path: str  # relative to the data set's folder
    view: int = 0  # by the recipe's augmentation; 0 is the image itself


@dataclass(frozen=True)
class ImageFiles(Sequence[ImageFile]):
    """Images as columns: a Python object is made only of those that are looked at.

    keys (n, 32), paths (n,), views (n,).
    """

    keys: Keys
    paths: pa.StringArray
    views: Views

    @classmethod
    def of(cls, images: Images, *, view: int = 0) -> Self:
        """Return a data set's images, or a view of each."""
        return cls(images.keys, images.paths, as_views(view, len(images.keys)))

    @classmethod
    def joined(cls, parts: Iterable[Self]) -> Self:
        """Return the images of all parts, in order; of one part without a copy."""
        parts = list(parts)
        if len(parts) == 1:
            return parts[0]
        keys, paths, views = zip(*((p.keys, p.paths, p.views) for p in parts), strict=True)
        return cls(np.concatenate(keys), pa.concat_arrays(paths), np.concatenate(views))

    def where(self, chosen: NDArray[np.bool_]) -> Self:
        """Return the chosen images, (n,); all of them without a copy."""
        return self if chosen.all() else self.take(np.flatnonzero(chosen))

    def take(self, places: NDArray[np.int64]) -> Self:
        """Return the images at some places, in that order."""
        return replace(
            self, keys=self.keys[places], paths=self.paths.take(places), views=self.views[places]
        )

    def __len__(self) -> int:
        return len(self.keys)

    def __reduce__(self) -> tuple[Any, ...]:
        # By `take`: a slice of Arrow's is sent to another process with all that it is cut from.
        paths = self.paths.take(pa.array(np.arange(len(self))))
        return type(self), (self.keys, paths, self.views)

    @overload
    def __getitem__(self, place: int) -> ImageFile: ...
    @overload
    def __getitem__(self, place: slice) -> Self: ...
    def __getitem__(self, place: int | slice) -> ImageFile | Self:
        if isinstance(place, slice):
            start, stop, step = place.indices(len(self))
            if step != 1:
                return self.take(np.arange(len(self))[place])
            paths = self.paths.slice(start, max(0, stop - start))
            return replace(self, keys=self.keys[place], paths=paths, views=self.views[place])
        key, path = ImageKey(self.keys[place].tobytes()), self.paths[place].as_py()
        return ImageFile(key, path, int(self.views[place]))


@dataclass(frozen=True, slots=True)
class Rejection:
    """A file without a feature, and the reason; `changed`: its content is not what was ingested."""

    path: str
    reason: str
    changed: bool


class Read(NamedTuple):
    """The bytes of an image file, and the EXIF orientation by which the image is turned."""

    content: bytes
    turn: int


@dataclass(frozen=True)
class PixelBatch:
    """Decoded images, their pixels (n, height, width, 3), and the files that were rejected.

    `decoders` are the packages beside TensorFlow that decoded some of them. `examined` has the
    results of all files of the batch where they were examined too, in their order.
    """

    images: list[ImageFile]
    pixels: NDArray[np.float32]
    rejected: list[Rejection]
    decoders: frozenset[str] = frozenset()
    examined: tuple[Examined, ...] = ()

    @property
    def files(self) -> int:
        """The number of files that it came from."""
        return len(self.examined) or len(self.images) + len(self.rejected)


@contextmanager
def pixel_batches(
    images: Sequence[ImageFile], folder: Path, recipe: Recipe, *, batch_size: int
) -> Iterator[Iterator[PixelBatch]]:
    """Yield an iterator over batches of pixels, in order; decoding begins at once.

    A missing or damaged file is rejected, and the others are not affected. The iterator raises
    OSError if a disk fails: a retry may read the same files. It raises InputError if the folder is
    missing, or an image does not fit the recipe.
    """

    def load(part: slice) -> PixelBatch:
        return _as_viewed(_loaded(images[part], folder, recipe), recipe)

    with batches_ahead(load, len(images), batch_size=batch_size) as batches:
        yield batches


def _loaded(images: Sequence[ImageFile], folder: Path, recipe: Recipe) -> PixelBatch:
    read = [(image, _read(image, folder)) for image in images]
    whole = [(image, content) for image, content in read if isinstance(content, Read)]
    batch = decoded_batch(whole, recipe)
    unread = [content for _, content in read if isinstance(content, Rejection)]
    return replace(batch, rejected=unread + batch.rejected)


def decoded_batch(whole: Sequence[tuple[ImageFile, Read]], recipe: Recipe) -> PixelBatch:
    """Return images decoded from what was read of them; one that is damaged is rejected.

    Raises InputError for an image that does not fit the recipe.
    """
    decoders = frozenset(decoder(one.content) for _, one in whole) - {""}
    try:
        pixels = _pixels([one for _, one in whole], recipe)
    except InputError:  # find out which file it is
        alone = [(image, _load_one(image, content, recipe)) for image, content in whole]
        good = [(image, row) for image, row in alone if not isinstance(row, Rejection)]
        rejected = [row for _, row in alone if isinstance(row, Rejection)]
        shape = (0, *recipe.image_size, 3)
        pixels = np.concatenate([np.empty(shape, np.float32), *(row for _, row in good)])
        return PixelBatch([image for image, _ in good], pixels, rejected, decoders)
    return PixelBatch([image for image, _ in whole], pixels, [], decoders)


def _as_viewed(batch: PixelBatch, recipe: Recipe) -> PixelBatch:
    if not any(image.view for image in batch.images):
        return batch
    from tasks.images.augmentation import views_of

    keys = as_keys(image.key for image in batch.images)
    views = as_views(np.array([image.view for image in batch.images]), len(keys))
    return replace(batch, pixels=views_of(batch.pixels, recipe.augmentation, keys, views))


def _read(image: ImageFile, folder: Path) -> Read | Rejection:
    try:
        content = read_image(folder / image.path)
    except InputError as error:
        return Rejection(image.path, unreadable(error), changed=True)
    except OSError as error:
        if error.errno not in _FILES_FAULT:
            raise  # a disk failed
        _check_folder(folder, image.path)
        return Rejection(image.path, unreadable(error), changed=True)
    try:
        if (turn := turn_of(content, image.key)) == OTHER_FILE:
            why = "changed since it was ingested; ingest again"
            return Rejection(image.path, why, changed=True)
        check_header(content)  # an earlier version may have accepted it
    except InputError as error:
        return Rejection(image.path, str(error), changed=False)
    return Read(content, turn)


def _load_one(image: ImageFile, read: Read, recipe: Recipe) -> NDArray[np.float32] | Rejection:
    try:
        return _pixels([read], recipe)
    except UndecodableImage as error:
        return Rejection(image.path, str(error), changed=False)
    except InputError as error:
        raise InputError(f"image {image.path!r} {error}") from error


def _pixels(read: list[Read], recipe: Recipe) -> NDArray[np.float32]:
    check_backend()
    from tasks.images.decoding import load_pixels

    if not read:
        return np.empty((0, *recipe.image_size, 3), np.float32)
    return load_pixels([one.content for one in read], recipe, [one.turn for one in read])


def _check_folder(folder: Path, path: str) -> None:
    # If a disk is not mounted, all files are missing. They are not rejected for that.
    class_folder = folder / Path(path).parts[0] if "/" in path else folder
    if not class_folder.exists():
        raise InputError(
            f"{class_folder}: folder not found; mount it, or ingest the data set again from its "
            "new location"
        )
