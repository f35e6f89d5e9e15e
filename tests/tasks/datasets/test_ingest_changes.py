"""What changes in a folder changes in its manifest, and nothing else does."""

import shutil

import pytest

from tasks.datasets.ingest import ingest
from tests.support.entries import as_entries, entries_of
from tests.support.images import small_png, write, write_classes
from tests.support.ingested import by_path, refusal, split_of_keys


@pytest.fixture
def folder(tmp_path):
    return write_classes(tmp_path / "pets")


def test_adding_reads_what_is_new_and_moves_nothing(folder, store):
    before = ingest(folder, store=store).manifest
    for number in range(7):
        write(folder / "dog" / f"new {number}.png", small_png(100 + number))
    after = ingest(folder, store=store)
    assert after.read == 7
    assert split_of_keys(after.manifest).items() >= split_of_keys(before).items()


def test_a_renamed_image_keeps_its_key_and_split(folder, store):
    before = ingest(folder, store=store).manifest
    (folder / "cat" / "001.png").rename(folder / "cat" / "z.png")
    after = ingest(folder, store=store)
    assert after.read == 1
    assert split_of_keys(after.manifest) == split_of_keys(before)
    assert after.manifest.digest == before.digest
    assert [e for e in entries_of(after.manifest) if e.status == "absent"] == []


def test_a_moved_folder_keeps_everything_when_it_is_named(folder, store):
    before = ingest(folder, store=store).manifest
    moved = folder.rename(folder.with_name("animals"))
    after = ingest(moved, store=store, dataset="pets")
    assert after.read == 0
    assert after.manifest.folder == str(moved)
    assert entries_of(after.manifest) == entries_of(before)
    assert ingest(moved, store=store, dataset="pets").manifest == after.manifest


def test_a_relabelled_image_keeps_its_split_and_changes_the_digest(folder, store):
    before = ingest(folder, store=store).manifest
    (folder / "cat" / "001.png").rename(folder / "dog" / "001.png")
    after = ingest(folder, store=store).manifest
    assert by_path(after)["dog/001.png"].label == "dog"
    assert split_of_keys(after) == split_of_keys(before)
    assert after.digest != before.digest


def test_a_deleted_image_is_remembered_and_brought_back(folder, store):
    before = ingest(folder, store=store).manifest
    content = {p: (folder / p).read_bytes() for p in ("cat/001.png", "dog/007.png")}
    for path in content:
        (folder / path).unlink()
    without = ingest(folder, store=store)
    assert without.read == 0
    assert {e.path for e in as_entries(without.manifest.of_status("absent"))} == set(content)
    assert without.manifest.summary().images == len(without.manifest.select().paths) == 8
    for number, path in enumerate(content):
        write(folder / path.split("/")[0] / f"back {number}.png", content[path])
    back = ingest(folder, store=store).manifest
    assert back.of_status("absent").num_rows == 0
    assert split_of_keys(back) == split_of_keys(before)
    assert back.digest == before.digest


def test_an_edited_image_stays_in_its_split_while_it_is_broken_too(folder, store):
    before = by_path(ingest(folder, store=store).manifest)["cat/001.png"]
    write(folder / "cat" / "001.png", b"half an image")
    broken = by_path(ingest(folder, store=store).manifest)["cat/001.png"]
    write(folder / "cat" / "001.png", small_png(77))
    mended = by_path(ingest(folder, store=store).manifest)["cat/001.png"]
    assert (broken.status, mended.status) == ("rejected", "accepted")
    assert len({before.key, broken.key, mended.key}) == 3
    assert before.split == mended.split


def test_a_new_class_without_images_is_noticed(folder, store):
    ingest(folder, store=store)
    (folder / "bird").mkdir()
    assert "no usable image in class 'bird'" in refusal(folder, store)


def test_a_class_folder_may_go(folder, store):
    ingest(folder, store=store)
    shutil.rmtree(folder / "dog")
    after = ingest(folder, store=store).manifest
    assert after.classes == ("cat",)
    assert len(after.of_status("absent")) == 5
    assert after.summary().images == 5
