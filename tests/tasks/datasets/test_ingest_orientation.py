"""Rotated photographs are used upright by default; where there are none, nothing changes."""

import pytest

from stores.keys import ImageKey
from stores.manifest import Manifest
from tasks.datasets.ingest import ingest
from tasks.datasets.seen_folder import IngestRequest, see
from tests.support.entries import entries_of
from tests.support.images import encoded, grow_old, pixels, rotated, write, write_classes
from tests.support.ingested import by_path


@pytest.fixture
def folder(tmp_path):
    return write_classes(tmp_path / "pets")


@pytest.fixture
def turned(folder):
    """The folder with two rotated photographs."""
    for number in (3, 6):
        write(folder / f"cat/phone{number}.jpg", rotated(pixels(number), number, "JPEG"))
    grow_old()
    return folder


def test_a_data_set_without_rotated_images_keeps_its_digest(folder, store):
    upright = ingest(folder, store=store, dataset="a").manifest
    stored = ingest(folder, store=store, dataset="b", orientation="stored").manifest
    assert upright.digest == stored.digest
    assert [e.key for e in entries_of(upright)] == [e.key for e in entries_of(stored)]
    for path, entry in by_path(upright).items():
        assert entry.key == ImageKey.of((folder / path).read_bytes())


def test_rotated_images_have_the_key_of_the_upright_ones_and_are_counted(turned, store):
    manifest = ingest(turned, store=store).manifest
    for number in (3, 6):
        path = f"cat/phone{number}.jpg"
        assert by_path(manifest)[path].key == ImageKey.of((turned / path).read_bytes()).upright()
    (about,) = manifest.summary().remark_counts
    assert (about.remark, about.images) == ("turned upright, as the EXIF data says", 2)


def test_another_orientation_reads_all_files_again_and_is_kept(turned, store):
    upright = ingest(turned, store=store).manifest
    assert len(see(IngestRequest(folder=turned, store=store, orientation="stored")).unread()) == 12
    again = ingest(turned, store=store, orientation="stored")
    assert (again.read, again.manifest.orientation) == (12, "stored")
    assert Manifest.read(store, "pets") == again.manifest
    assert ingest(turned, store=store).read == 0  # the data set's, where none is given
    key = by_path(again.manifest)["cat/phone6.jpg"].key
    assert key == ImageKey.of((turned / "cat/phone6.jpg").read_bytes())
    assert not len(again.manifest.of_status("absent"))
    splits = [
        {e.path: e.split for e in entries_of(manifest)} for manifest in (upright, again.manifest)
    ]
    assert splits[0] == splits[1]


def test_the_orientation_of_a_tiff_is_seen_too(folder, store):
    write(folder / "cat/scan.tif", rotated(pixels(1), 8, "TIFF"))
    write(folder / "cat/plain.tif", encoded(pixels(2), "TIFF"))
    entries = by_path(ingest(folder, store=store).manifest)
    assert entries["cat/scan.tif"].key == (
        ImageKey.of((folder / "cat/scan.tif").read_bytes()).upright()
    )
    assert entries["cat/plain.tif"].key == ImageKey.of((folder / "cat/plain.tif").read_bytes())
