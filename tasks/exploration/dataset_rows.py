"""The features of a data set's images: those of the store, and the missing ones computed once."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from stores.features.store import FeatureStore
from stores.keys import ImageKey, Rows
from stores.manifest import Images, Manifest
from tasks.errors import InputError
from tasks.evaluation.nearest import Blocks
from tasks.evaluation.similar_pairs import Places, Vectors
from tasks.execution.progress import advance
from tasks.features.engines import Job
from tasks.features.request import BATCH_SIZE
from tasks.features.vectors import averaged, row_blocks
from tasks.inference.image_rows import IMAGES_AT_ONCE, image_rows


@dataclass(frozen=True)
class DatasetRows:
    """The features of a data set's distinct images, by their places in `images`."""

    manifest: Manifest
    job: Job
    batch_size: int = BATCH_SIZE

    @cached_property
    def images(self) -> Images:
        """The images; raises InputError where there is none."""
        images = self.manifest.select()
        if not len(images.keys):
            raise InputError(
                f"data set {self.manifest.name!r} has no image that can be used; see "
                f"python -m flows.ingest {self.manifest.folder}"
            )
        return images

    @cached_property
    def paths(self) -> list[str]:
        """Their paths in the folder of the data set."""
        return list(self.images.paths.to_pylist())

    def rows(self, places: Places | None = None) -> Iterator[tuple[Places, Rows]]:
        """Yield (places, features) of some images, or of all, block by block.

        Those in the store come first, in the order of the places. The others are computed and not
        stored; an image that cannot be used is in no block.
        """
        places = np.arange(len(self.images.keys)) if places is None else places
        features = FeatureStore(self.job.store, self.job.recipes[0])
        missing = features.missing(self.images.keys[places])
        stored = places[~missing]
        for at, rows in row_blocks(features, self.images.keys[stored]):
            yield stored[at], rows
            advance(len(at))
        yield from self._computed(places[missing])

    def blocks(self, places: Places | None = None) -> Blocks:
        """Yield the same as vectors, of which feature maps are averaged over their places."""
        return ((at, averaged(rows)) for at, rows in self.rows(places))

    def vectors(self, places: Places | None = None) -> tuple[Places, Vectors]:
        """Return the places of which there are features, in their order, and their vectors."""
        found = list(self.blocks(places))
        if not found:
            return np.empty(0, np.int64), np.empty((0, 0), np.float32)
        at = np.concatenate([places for places, _ in found])
        together = np.concatenate([vectors for _, vectors in found])
        order = np.argsort(at)
        if (order == np.arange(len(order))).all():
            return at, together
        return at[order], together[order]

    def _computed(self, places: Places) -> Iterator[tuple[Places, Rows]]:
        folder = Path(self.manifest.folder)
        for start in range(0, len(places), IMAGES_AT_ONCE):
            some = places[start : start + IMAGES_AT_ONCE].tolist()
            known = {folder / self.paths[n]: ImageKey(self.images.keys[n].tobytes()) for n in some}
            place_of = {str(path): n for path, n in zip(known, some, strict=True)}
            for found in image_rows(
                list(known),
                self.job,
                orientation=self.manifest.orientation,
                batch_size=self.batch_size,
                known=known,
            ):
                if found.images:
                    at = np.array([place_of[image.path] for image in found.images], np.int64)
                    yield at, found.rows
