"""The stream of pixels: files are read, checked and decoded in parallel, a few batches ahead."""

import errno
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stores.keys import ImageKey
from stores.recipe import Recipe
from tasks.errors import InputError, UndecodableImage

# Decoded ahead of the engine; two keep it busy, and bound the memory.
BATCHES_AHEAD = 2
# What the system says of a file that is not there, or not ours to read: no second try helps.
_FILES_FAULT = {
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ELOOP,
    errno.EACCES,
    errno.EPERM,
}


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image and where its bytes should be."""

    key: ImageKey
    path: str  # relative to the data set's folder


@dataclass(frozen=True, slots=True)
class Rejection:
    """A file that gave no feature, and why; `changed` if its bytes are not those ingested."""

    path: str
    reason: str
    changed: bool


@dataclass(frozen=True)
class PixelBatch:
    """Images that were decoded, their pixels (n, height, width, 3), and files that were not."""

    images: list[ImageFile]
    pixels: NDArray[np.float32]
    rejected: list[Rejection]


def pixel_batches(
    images: Sequence[ImageFile], folder: Path, recipe: Recipe, *, batch_size: int
) -> Iterator[PixelBatch]:
    """Yield the pixels of images in batches; a file that is gone or damaged costs itself only.

    Raises OSError where a disk fails: the same files may be readable at a second try. Raises
    InputError where the whole folder is gone, or an image does not fit the recipe.
    """
    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        ahead: deque[list[tuple[ImageFile, Future[NDArray[np.float32] | Rejection]]]] = deque()
        try:
            for start in range(0, len(images), batch_size):
                batch = images[start : start + batch_size]
                loads = [pool.submit(_load, image, folder, recipe) for image in batch]
                ahead.append(list(zip(batch, loads, strict=True)))
                if len(ahead) > BATCHES_AHEAD:
                    yield _collected(ahead.popleft())
            while ahead:
                yield _collected(ahead.popleft())
        finally:
            pool.shutdown(cancel_futures=True)


def _collected(
    loads: list[tuple[ImageFile, Future[NDArray[np.float32] | Rejection]]],
) -> PixelBatch:
    results = [(image, load.result()) for image, load in loads]
    good = [(image, pixels) for image, pixels in results if not isinstance(pixels, Rejection)]
    return PixelBatch(
        images=[image for image, _ in good],
        pixels=np.stack([pixels for _, pixels in good]) if good else np.empty((0,), np.float32),
        rejected=[rejection for _, rejection in results if isinstance(rejection, Rejection)],
    )


def _load(image: ImageFile, folder: Path, recipe: Recipe) -> NDArray[np.float32] | Rejection:
    from tasks.pixels import load_pixels

    try:
        content = (folder / image.path).read_bytes()
    except OSError as error:
        if error.errno not in _FILES_FAULT:
            raise  # the disk's fault
        _check_folder(folder, image.path)
        return Rejection(image.path, f"cannot be read: {error.strerror}", changed=True)
    if ImageKey.of(content) != image.key:
        return Rejection(image.path, "changed since it was ingested; ingest again", changed=True)
    try:
        return load_pixels(content, recipe)
    except UndecodableImage as error:
        return Rejection(image.path, str(error), changed=False)
    except InputError as error:
        raise InputError(f"image {image.path!r} {error}") from error


def _check_folder(folder: Path, path: str) -> None:
    # Of a disk that is not mounted all files are gone: nothing is to be learnt of them by that.
    class_folder = folder / Path(path).parts[0]
    if not class_folder.exists():
        raise InputError(
            f"{class_folder}: the folder is gone; mount it, or ingest the data set again from "
            "where it is now"
        )
