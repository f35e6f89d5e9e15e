"""Batches for fine-tuning: images, or stored outputs of the frozen part for them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stores.features.recipe import Recipe
from stores.features.store import FeatureStore
from stores.keys import Views, as_views
from stores.manifest import Images
from tasks.backbones.files.keras_file import backbone_of
from tasks.features.unusable_files import check_all_there
from tasks.finetune.specification import FineTuning
from tasks.images.augmentation import augmented, views_of
from tasks.images.pixel_batches import ImageFiles, pixel_batches

Places = NDArray[np.int64]  # indices of images among the examples
Batch = tuple[Places, NDArray[np.float32]]  # with the inputs of the network, (n, *shape)


@dataclass(frozen=True)
class Parts:
    """The examples for training, for validation, and for early stopping."""

    learned: Places
    validation: Places
    stopping: Places  # none without a patience


@dataclass(frozen=True)
class ImageExamples:
    """Images that are read from their files in each epoch."""

    images: Images
    folder: Path
    recipe: Recipe
    tuning: FineTuning
    seed: int

    def learned(self, places: Places, *, epoch: int) -> Iterator[Batch]:
        """Yield images in this order, with the augmentation of the epoch."""
        views = drawn_views(len(self.images.keys), self.tuning.views, seed=self.seed, epoch=epoch)
        augmentation = self.tuning.augmentation
        for number, (batch, pixels) in enumerate(self._pixels(places)):
            if self.tuning.views:
                keys = self.images.keys[batch]
                drawn = views_of(pixels, augmentation, keys, views[batch])
            else:
                drawn = augmented(pixels, augmentation, draw=(self.seed, epoch, number))
            yield batch, self._preprocessed(drawn)

    def measured(self, places: Places) -> Iterator[Batch]:
        """Yield images in this order, without augmentation."""
        for batch, pixels in self._pixels(places):
            yield batch, self._preprocessed(pixels)

    def _pixels(self, places: Places) -> Iterator[Batch]:
        files = ImageFiles.of(self.images).take(places)
        size, done = self.tuning.batch_size, 0
        with pixel_batches(files, self.folder, self.recipe, batch_size=size) as batches:
            for batch in batches:
                check_all_there(batch.rejected)
                yield places[done : done + len(batch.images)], batch.pixels
                done += len(batch.images)

    def _preprocessed(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        from tasks.execution.checked_keras import tf

        # Keras's functions would change an array in place.
        whole = backbone_of(self.recipe).preprocess(tf.convert_to_tensor(pixels))
        return np.asarray(whole, np.float32)


@dataclass(frozen=True)
class CachedExamples:
    """Outputs of the frozen part of the network, from the feature store."""

    images: Images
    features: FeatureStore
    tuning: FineTuning
    seed: int

    def learned(self, places: Places, *, epoch: int) -> Iterator[Batch]:
        """Yield features in this order, of the views of the epoch."""
        views = drawn_views(len(self.images.keys), self.tuning.views, seed=self.seed, epoch=epoch)
        yield from self._rows(places, views[places])

    def measured(self, places: Places) -> Iterator[Batch]:
        """Yield features in this order, of the images themselves."""
        yield from self._rows(places, as_views(0, len(places)))

    def _rows(self, places: Places, views: Views) -> Iterator[Batch]:
        keys, size = self.images.keys[places], self.tuning.batch_size
        for positions, rows in self.features.batches(keys, batch_size=size, views=views):
            yield places[positions], np.asarray(rows, np.float32)


Examples = ImageExamples | CachedExamples  # of a data set, as inputs of a network


def drawn_views(images: int, views: int, *, seed: int, epoch: int) -> Views:
    """Return the view of each image in an epoch, (images,), from 1 to `views`; 0 without views."""
    if not views:
        return as_views(0, images)
    drawn = np.random.default_rng((seed, epoch, 1)).integers(1, views, images, endpoint=True)
    return as_views(drawn.astype(np.uint16), images)


def shuffled(places: Places, *, seed: int, epoch: int) -> Places:
    """Return the order of the images in an epoch."""
    return np.random.default_rng((seed, epoch, 0)).permutation(places)
