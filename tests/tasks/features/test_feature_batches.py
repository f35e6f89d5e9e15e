"""What the engine makes of batches of pixels."""

import errno
import threading
import time

import numpy as np
import pytest

from stores import StoreFull
from stores.keys import ImageKey
from tasks.errors import ExtractionError
from tasks.features.feature_batches import feature_batches
from tasks.images.pixel_batches import ImageFile, pixel_batches
from tests.support.extraction import write_folder
from tests.support.samples import RECIPE


def images_of(folder):
    paths = sorted(folder.rglob("*.png"))
    return [ImageFile(ImageKey.of(p.read_bytes()), str(p.relative_to(folder))) for p in paths]


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "pets", count=11)


class Sums:
    """An engine whose feature is the sum of an image's pixels; it notes how many run at once."""

    parallel = 3
    feature_shapes = ((1,),)

    def __init__(self):
        self.running, self.most, self.lock = 0, 0, threading.Lock()

    def compute(self, pixels):
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
        time.sleep(0.01 if len(pixels) % 2 else 0.03)  # they do not end in the order they begin
        with self.lock:
            self.running -= 1
        return [pixels.sum(axis=(1, 2, 3))[:, None]]


def features_of(folder, images, engine, batch_size):
    with pixel_batches(images, folder, RECIPE, batch_size=batch_size) as batches:
        return list(feature_batches(batches, engine))


def test_features_come_in_the_order_of_the_images_from_several_at_once(folder):
    images, engine = images_of(folder), Sums()
    found = features_of(folder, images, engine, batch_size=1)
    assert [image for batch, _ in found for image in batch.images] == images
    for batch, (rows,) in found:
        assert np.array_equal(rows[:, 0], batch.pixels.sum(axis=(1, 2, 3)))
    assert engine.most == Sums.parallel


def test_a_batch_without_images_has_no_rows(folder):
    images = images_of(folder)
    for image in images[:4]:
        (folder / image.path).unlink()
    found = features_of(folder, images, Sums(), batch_size=4)
    assert [rows.shape for _, (rows,) in found] == [(0, 1), (4, 1), (3, 1)]


@pytest.mark.parametrize("error", [StoreFull("no space"), OSError(errno.EIO, "I/O")], ids=repr)
def test_what_the_store_or_the_system_refuses_is_no_crash_of_the_engine(folder, error):
    def refuse(_):
        raise error

    engine = Sums()
    engine.compute = refuse
    with pytest.raises(type(error)) as caught:
        features_of(folder, images_of(folder), engine, batch_size=4)
    assert caught.value is error


def test_an_engine_that_crashes_names_the_images(folder):
    engine = Sums()
    engine.compute = lambda pixels: pixels @ "what"
    with pytest.raises(ExtractionError, match=r"batch of 4 images \(.*0000.png.*shard was not"):
        features_of(folder, images_of(folder), engine, batch_size=4)
