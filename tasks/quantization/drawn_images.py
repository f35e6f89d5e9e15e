"""The train images that a backbone is quantised with, and those that the outcome is measured on."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from stores.features.recipe import Recipe
from stores.keys import draws, in_order
from stores.manifest import Images, Manifest
from tasks.datasets.labelled_files import check_labelled, check_of_classes
from tasks.errors import InputError
from tasks.execution.progress import advance
from tasks.features.request import BATCH_SIZE
from tasks.images.pixel_batches import ImageFiles, PixelBatch, pixel_batches

CALIBRATION_IMAGES = 300
GATE_IMAGES = 2000
FOLDS = 5
_FIX = "add images, or use --precision bfloat16 or float32"


@dataclass(frozen=True)
class Drawn:
    """Train images in an order drawn by seed and content; the first are for the calibration."""

    images: Images
    folder: Path
    seed: int

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Draw the images of a data set, by its own seed.

        Raises InputError where a head by folds cannot be trained on them.
        """
        check_labelled(manifest)
        check_of_classes(manifest, "--precision int8", fix="use bfloat16 or float32")
        images, seed = manifest.select("train"), manifest.split_seed
        order = in_order(draws(f"int8 {seed}:".encode(), images.keys))[:GATE_IMAGES]
        drawn = Images(
            images.keys[order],
            images.labels[order],
            images.paths.take(order),
            images.splits.take(order),
            None if images.groups is None else images.groups[order],
        )
        counts = np.bincount(drawn.labels, minlength=len(manifest.classes))
        if (counts >= FOLDS).sum() < 2:
            found = zip(manifest.classes, counts.tolist(), strict=True)
            received = ", ".join(f"{name} ({count})" for name, count in list(found)[:5])
            raise InputError(
                f"--precision int8: data set {manifest.name!r}: expected 2 classes with at least "
                f"{FOLDS} train images, to measure what it costs; received {received}; {_FIX}"
            )
        return cls(drawn, Path(manifest.folder), seed)

    @property
    def calibration_keys(self) -> str:
        """SHA-256 of the keys of the images for the calibration, in their order."""
        return hashlib.sha256(self.images.keys[:CALIBRATION_IMAGES].tobytes()).hexdigest()

    def calibration(self, recipe: Recipe) -> NDArray[np.uint8]:
        """Return the pixels for the calibration, (n, height, width, 3), rounded.

        Raises InputError for an image that cannot be used any more.
        """
        some = ImageFiles.of(self.images)[:CALIBRATION_IMAGES]
        pixels = np.empty((len(some), *recipe.image_size, 3), np.uint8)
        done = 0
        with pixel_batches(some, self.folder, recipe, batch_size=BATCH_SIZE) as batches:
            for batch in batches:
                check_all_usable(batch)
                pixels[done : done + len(batch.pixels)] = np.rint(batch.pixels)
                done += len(batch.pixels)
                advance(len(batch.pixels))
        return pixels

    @contextmanager
    def batches(self, recipe: Recipe) -> Iterator[Iterator[PixelBatch]]:
        """Give all images in batches; raises as `pixel_batches`."""
        files = ImageFiles.of(self.images)
        with pixel_batches(files, self.folder, recipe, batch_size=BATCH_SIZE) as batches:
            yield batches


def check_all_usable(batch: PixelBatch) -> None:
    """Raise InputError if a file of a batch was rejected."""
    if batch.rejected:
        first = batch.rejected[0]
        raise InputError(
            f"{first.path}: {first.reason}; a backbone is quantised only on images that are all "
            "usable: ingest again"
        )


def in_parts(pixels: NDArray[np.uint8], size: int) -> Callable[[], Iterator[NDArray[np.float32]]]:
    """Return what yields pixels as batches of a size, each time it is called."""
    return lambda: (
        pixels[start : start + size].astype(np.float32) for start in range(0, len(pixels), size)
    )
