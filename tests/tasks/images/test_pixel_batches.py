"""Pixels come in order, a few batches ahead and no more; a bad file costs itself only."""

import errno
import threading
import time
import weakref
from pathlib import Path

import numpy as np
import pytest

from stores.keys import ImageKey
from tasks.images import decoding as pixels
from tasks.images import pixel_batches as stream
from tasks.images.batches_ahead import BATCHES_AHEAD
from tasks.images.decoding import load_pixels
from tasks.images.image_check import examine
from tasks.images.image_files import read_image
from tasks.images.pixel_batches import ImageFile, pixel_batches
from tests.support.extraction import write_folder
from tests.support.images import refused_images, small_png, write
from tests.support.samples import RECIPE


def images_of(folder):
    paths = sorted(folder.rglob("*.png"))
    return [ImageFile(ImageKey.of(p.read_bytes()), str(p.relative_to(folder))) for p in paths]


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "pets", count=11)


def batches_of(folder, images, batch_size=4):
    with pixel_batches(images, folder, RECIPE, batch_size=batch_size) as batches:
        return list(batches)


@pytest.mark.parametrize("batch_size", [1, 4, 11, 100])
def test_pixels_come_in_the_order_of_the_images(folder, batch_size):
    images = images_of(folder)
    batches = batches_of(folder, images, batch_size)
    assert [image for batch in batches for image in batch.images] == images
    assert {len(batch.pixels) for batch in batches[:-1]} <= {batch_size}
    for image, row in zip(images, np.concatenate([b.pixels for b in batches]), strict=True):
        (expected,) = load_pixels([(folder / image.path).read_bytes()], RECIPE)
        assert np.array_equal(row, expected)


def test_the_order_does_not_depend_on_which_is_decoded_first(folder, monkeypatch):
    images = images_of(folder)
    expected = np.concatenate([b.pixels for b in batches_of(folder, images)])

    def slow_at_first(contents, recipe, turns=()):
        time.sleep(0.05 if ImageKey.of(contents[0]) == images[0].key else 0)
        return load_pixels(contents, recipe)

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

    def load(contents, recipe, turns=()):
        decoded.extend(map(ImageKey.of, contents))
        return load_pixels(contents, recipe)

    monkeypatch.setattr(pixels, "load_pixels", load)
    rejected = [r for batch in batches_of(folder, images) for r in batch.rejected]
    assert [(r.path, r.changed) for r in rejected] == [(images[2].path, True)]
    assert sorted(decoded) == sorted(image.key for image in images if image != images[2])


def failing_for(monkeypatch, path, number):
    def read(asked):
        if asked == path:
            raise OSError(number, "out of order")
        return read_image(asked)

    monkeypatch.setattr(stream, "read_image", read)


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


@pytest.mark.parametrize("batch_size", [1, 3, 11])
def test_a_damaged_image_costs_itself_and_not_its_batch(folder, monkeypatch, batch_size):
    images = images_of(folder)
    bad = (folder / images[4].path).read_bytes()

    def load(contents, recipe, turns=()):
        return load_pixels([b"GIF89a" if c == bad else c for c in contents], recipe)

    monkeypatch.setattr(pixels, "load_pixels", load)
    batches = batches_of(folder, images, batch_size)
    assert [r.path for batch in batches for r in batch.rejected] == [images[4].path]
    good = [image for image in images if image != images[4]]
    assert [image for batch in batches for image in batch.images] == good
    for image, row in zip(good, np.concatenate([b.pixels for b in batches]), strict=True):
        (expected,) = load_pixels([(folder / image.path).read_bytes()], RECIPE)
        assert np.array_equal(row, expected)


def test_what_an_earlier_version_accepted_and_is_misread_is_rejected(folder):
    for name, content in (("a.bmp", "jpeg.bmp"), ("b.jpg", "jpeg-xl.png"), ("c.png", "large.png")):
        write(folder / name, refused_images()[content])
    images = [ImageFile(ImageKey.of(p.read_bytes()), p.name) for p in sorted(folder.glob("*.*"))]
    rejected = [r for batch in batches_of(folder, images) for r in batch.rejected]
    assert [(r.path, r.changed) for r in rejected] == [(image.path, False) for image in images]
    assert [r.reason for r in rejected] == [examine(folder / image.path).reason for image in images]


def most_alive(monkeypatch, count, batch_size):
    """Stream so many images slowly; return the largest number of decoded batches held at once."""
    alive, lock, peak = [], threading.Lock(), 0

    def load(contents, recipe, turns=()):
        array = np.zeros((len(contents), 2, 2, 3), np.float32)
        with lock:
            alive.append(weakref.ref(array))
        return array

    monkeypatch.setattr(pixels, "load_pixels", load)
    content = small_png(0)
    monkeypatch.setattr(stream, "read_image", lambda path: content)
    images = [ImageFile(ImageKey.of(content), str(number)) for number in range(count)]
    with pixel_batches(images, Path(), RECIPE, batch_size=batch_size) as batches:
        for batch in batches:
            time.sleep(0.002)  # the engine is slower than the decoders
            del batch
            with lock:
                alive[:] = [ref for ref in alive if ref() is not None]
                peak = max(peak, len(alive))
    return peak


def test_memory_does_not_grow_with_the_number_of_images(monkeypatch):
    for count in (80, 160):
        assert most_alive(monkeypatch, count, batch_size=4) <= BATCHES_AHEAD + 1


def test_this_test_fails_where_all_is_decoded_ahead(monkeypatch):
    monkeypatch.setattr("tasks.images.batches_ahead.BATCHES_AHEAD", 1000)
    assert most_alive(monkeypatch, 160, batch_size=4) > 25


def test_a_stream_that_is_closed_early_stops_its_decoders(folder):
    threads = threading.active_count()
    with pixel_batches(images_of(folder), folder, RECIPE, batch_size=1) as batches:
        next(batches)
        assert threading.active_count() > threads
    assert threading.active_count() == threads
