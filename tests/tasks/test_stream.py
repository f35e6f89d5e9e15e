"""Pixels come in order, a few batches ahead and no more; a bad file costs itself only."""

import errno
import threading
import time
import weakref
from pathlib import Path

import numpy as np
import pytest

from stores.keys import ImageKey
from tasks import pixels, stream
from tasks.pixels import load_pixels
from tasks.stream import BATCHES_AHEAD, ImageFile, pixel_batches
from tests.stores.samples import RECIPE
from tests.tasks.extraction import write_folder


def images_of(folder):
    paths = sorted(folder.rglob("*.png"))
    return [ImageFile(ImageKey.of(p.read_bytes()), str(p.relative_to(folder))) for p in paths]


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "pets", count=11)


def batches_of(folder, images, batch_size=4):
    return list(pixel_batches(images, folder, RECIPE, batch_size=batch_size))


@pytest.mark.parametrize("batch_size", [1, 4, 11, 100])
def test_pixels_come_in_the_order_of_the_images(folder, batch_size):
    images = images_of(folder)
    batches = batches_of(folder, images, batch_size)
    assert [image for batch in batches for image in batch.images] == images
    assert {len(batch.pixels) for batch in batches[:-1]} <= {batch_size}
    for image, row in zip(images, np.concatenate([b.pixels for b in batches]), strict=True):
        assert np.array_equal(row, load_pixels((folder / image.path).read_bytes(), RECIPE))


def test_the_order_does_not_depend_on_which_is_decoded_first(folder, monkeypatch):
    images = images_of(folder)
    expected = np.concatenate([b.pixels for b in batches_of(folder, images)])

    def slow_at_first(content, recipe):
        time.sleep(0.05 if ImageKey.of(content) == images[0].key else 0)
        return load_pixels(content, recipe)

    monkeypatch.setattr(pixels, "load_pixels", slow_at_first)
    batches = batches_of(folder, images)
    assert [image for batch in batches for image in batch.images] == images
    assert np.array_equal(np.concatenate([b.pixels for b in batches]), expected)


def test_no_images_give_no_batches(folder):
    assert batches_of(folder, []) == []


def test_a_batch_may_lose_all_of_its_images(folder):
    images = images_of(folder)
    for image in images[:4]:
        (folder / image.path).unlink()
    first, second, _ = batches_of(folder, images)
    assert (first.images, len(first.pixels), len(first.rejected)) == ([], 0, 4)
    assert (len(second.images), second.rejected) == (4, [])


def test_only_bytes_of_the_right_key_are_decoded(folder, monkeypatch):
    images, decoded = images_of(folder), []
    (folder / images[2].path).write_bytes((folder / images[3].path).read_bytes())

    def load(content, recipe):
        decoded.append(ImageKey.of(content))
        return load_pixels(content, recipe)

    monkeypatch.setattr(pixels, "load_pixels", load)
    rejected = [r for batch in batches_of(folder, images) for r in batch.rejected]
    assert [(r.path, r.changed) for r in rejected] == [(images[2].path, True)]
    assert sorted(decoded) == sorted(image.key for image in images if image != images[2])


def failing_for(monkeypatch, path, number):
    read_bytes = Path.read_bytes

    def read(self):
        if self == path:
            raise OSError(number, "out of order")
        return read_bytes(self)

    monkeypatch.setattr(Path, "read_bytes", read)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.ENOTDIR])
def test_an_unreadable_file_costs_itself_only(folder, monkeypatch, number):
    images = images_of(folder)
    failing_for(monkeypatch, folder / images[5].path, number)
    batches = batches_of(folder, images)
    (rejection,) = [r for batch in batches for r in batch.rejected]
    assert (rejection.path, rejection.changed) == (images[5].path, True)
    assert rejection.reason == "cannot be read: out of order"
    assert sum(len(batch.images) for batch in batches) == 10


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EMFILE])
def test_a_failing_disk_is_worth_a_second_try(folder, monkeypatch, number):
    images = images_of(folder)
    failing_for(monkeypatch, folder / images[5].path, number)
    with pytest.raises(OSError, match="out of order"):
        batches_of(folder, images)


def most_alive(monkeypatch, count, batch_size):
    """Stream so many images slowly; return the largest number of decoded images held at once."""
    alive, lock, peak = [], threading.Lock(), 0

    def load(content, recipe):
        array = np.zeros((2, 2, 3), np.float32)
        with lock:
            alive.append(weakref.ref(array))
        return array

    monkeypatch.setattr(pixels, "load_pixels", load)
    monkeypatch.setattr(Path, "read_bytes", lambda self: b"")
    images = [ImageFile(ImageKey.of(b""), str(number)) for number in range(count)]
    for batch in pixel_batches(images, Path(), RECIPE, batch_size=batch_size):
        time.sleep(0.002)  # the engine is slower than the decoders
        del batch
        with lock:
            alive[:] = [ref for ref in alive if ref() is not None]
            peak = max(peak, len(alive))
    return peak


def test_memory_does_not_grow_with_the_number_of_images(monkeypatch):
    for count in (80, 160):
        assert most_alive(monkeypatch, count, batch_size=4) <= BATCHES_AHEAD * 4


def test_this_test_fails_where_all_is_decoded_ahead(monkeypatch):
    monkeypatch.setattr(stream, "BATCHES_AHEAD", 1000)
    assert most_alive(monkeypatch, 160, batch_size=4) > 100


def test_a_stream_that_is_closed_early_stops_its_decoders(folder):
    threads = threading.active_count()
    batches = pixel_batches(images_of(folder), folder, RECIPE, batch_size=1)
    next(batches)
    assert threading.active_count() > threads
    batches.close()
    assert threading.active_count() == threads
