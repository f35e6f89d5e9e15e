"""What comes of files that are computed as they are read is what `examine` makes of each."""

import os

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings

from stores import FeatureStore
from stores.keys import ImageKey
from tasks.features.job import make_job
from tasks.features.new_files import NewFiles, new_batches
from tasks.images import decoding as pixels_of
from tasks.images.image_check import WITHOUT_HEIC, Examined, examine
from tests.support.extraction import REQUEST, write_folder
from tests.support.images import (
    damaged,
    encoded,
    every_kind,
    pixels,
    refused_images,
    rotated,
    write,
)

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0heicmif1" + bytes(40)


def batches_of(folder, job, *, orientation="upright", batch_size=8, command="one"):
    """Return the batches of all files of a folder, in the order of their paths."""
    paths = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())
    files = NewFiles(pa.array(paths, pa.string()), orientation, command)
    with new_batches(files, folder, job, batch_size=batch_size) as batches:
        return paths, list(batches)


@pytest.fixture
def job(tiny, store):
    return make_job(REQUEST, store=store, engine="keras")


@pytest.fixture
def folder(tmp_path):
    """A folder with files of all kinds: whole, refused, damaged, turned, copied, and no files."""
    folder = tmp_path / "every kind"
    for name, content in {**every_kind(), **refused_images()}.items():
        write(folder / name, content)
    for name, content in every_kind().items():
        write(folder / "cut" / name, content[:-60])
        write(folder / "copy" / name, content)
    for number in range(1, 9):
        write(folder / f"turned{number}.jpg", rotated(pixels(number), number, "JPEG"))
        write(folder / f"turned{number}.png", rotated(pixels(number), number, "PNG"))
    write(folder / "empty.jpg", b"")
    write(folder / "text.png", b"no image")
    write(folder / "apple.heic", HEIC)
    write(folder / "low.png", encoded(pixels(1, dtype=np.uint16)[..., 0] >> 4, "PNG"))
    write(folder / "low.tif", encoded(pixels(1, dtype=np.uint16)[..., 0] >> 4, "TIFF"))
    write(folder / "webp.webp", encoded(pixels(1), "WEBP"))
    write(folder / "avif.avif", encoded(pixels(1), "AVIF"))
    os.mkfifo(folder / "pipe.jpg")
    (folder / "nowhere.jpg").symlink_to("gone")
    write(folder / "closed.jpg", every_kind()["rgb.jpg"]).chmod(0)
    return folder


@pytest.mark.parametrize("orientation", ["upright", "stored"])
def test_all_kinds_of_files_are_examined_as_by_examine(folder, job, monkeypatch, orientation):
    monkeypatch.setattr("tasks.images.image_check.can_read_heic", lambda: False)
    paths, batches = batches_of(folder, job, orientation=orientation)
    results = [one for batch in batches for one in batch.examined]
    assert results == [examine(folder / path, orientation) for path in paths]
    by_path = dict(zip(paths, results, strict=True))
    assert by_path["apple.heic"].reason == WITHOUT_HEIC
    assert {one.status for one in results} == {"accepted", "rejected"}

    computed = [image for batch in batches for image in batch.images]
    assert len({image.key for image in computed}) == len(computed)
    assert {image.key for image in computed} == {
        one.key for one in results if one.status == "accepted"
    }
    assert all(by_path[image.path].key == image.key for image in computed)


def test_images_that_have_features_are_not_decoded_and_examined_alike(folder, job, store):
    paths, batches = batches_of(folder, job)
    images = [image for batch in batches for image in batch.images]
    FeatureStore(store, job.recipes[0]).write([i.key for i in images], np.ones((len(images), 8)))
    again, batches = batches_of(folder, job, command="two")
    assert not any(batch.images for batch in batches)
    results = [one for batch in batches for one in batch.examined]
    assert (again, results) == (paths, [examine(folder / path) for path in paths])


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=damaged(".jpg", ".png", ".gif", ".bmp"))
def test_a_damaged_file_has_the_same_result(content, job, tmp_path_factory):
    folder = tmp_path_factory.mktemp("damaged")
    write(folder / "image", content)
    _, (batch,) = batches_of(folder, job, command=str(folder))
    assert batch.examined == (examine(folder / "image"),)
    assert len(batch.images) == len(batch.pixels) == (batch.examined[0].status == "accepted")


def test_the_pixels_are_those_of_the_image(folder, job):
    _, batches = batches_of(folder, job, batch_size=3)
    for batch in batches:
        for image, row in zip(batch.images, batch.pixels, strict=True):
            content = (folder / image.path).read_bytes()
            turned = image.key != ImageKey.of(content)
            turns = [int(image.path[6])] if turned else [1]
            (expected,) = pixels_of.load_pixels([content], job.recipes[0], turns)
            assert np.array_equal(row, expected)


def test_an_ordinary_image_is_decoded_once(tmp_path, job, monkeypatch):
    folder = write_folder(tmp_path / "pets", count=5)
    write(folder / "cats/photo.jpg", every_kind()["rgb.jpg"])
    monkeypatch.setattr(pixels_of, "check_decodable", lambda _: pytest.fail("decoded twice"))
    _, batches = batches_of(folder, job)
    assert sum(len(batch.images) for batch in batches) == 6


def test_an_image_that_does_not_fit_is_accepted_and_left_to_who_needs_it(tmp_path, job, store):
    folder = write_folder(tmp_path / "pets", count=3)
    write(folder / "cats/thin.png", encoded(np.zeros((2000, 1, 3), np.uint8), "PNG"))
    padded = make_job(
        REQUEST.__class__("tiny", weights="none", aspect_ratio="pad"), store=store, engine="keras"
    )
    paths, batches = batches_of(folder, padded, batch_size=1)
    assert [one.status for b in batches for one in b.examined] == ["accepted"] * 4
    left = [path for path, b in zip(paths, batches, strict=True) if not b.images]
    assert left == ["cats/thin.png"]


def test_what_a_failed_shard_had_claimed_is_computed_by_the_next(tmp_path, job):
    folder = write_folder(tmp_path / "pets", count=5)
    files = NewFiles(pa.array(["cats/0000.png", "cats/0002.png"]), "upright", "one")

    def fail():
        with new_batches(files, folder, job, batch_size=1) as some:
            assert len(next(some).images) == 1
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    _, batches = batches_of(folder, job)
    assert sum(len(batch.images) for batch in batches) == 5


def test_a_file_that_goes_costs_itself_only(tmp_path, job):
    folder = write_folder(tmp_path / "pets", count=3)
    files = NewFiles(pa.array(["cats/0000.png", "cats/gone.png"]), "upright", "one")
    with new_batches(files, folder, job, batch_size=8) as batches:
        (batch,) = batches
    assert [image.path for image in batch.images] == ["cats/0000.png"]
    assert batch.examined[1] == Examined(
        None, "rejected", "cannot be read: No such file or directory"
    )
