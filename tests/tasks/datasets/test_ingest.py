"""A folder becomes a data set's manifest, and nothing bad in it stops that."""

import os

import pytest

from stores.dataset_summary import FileReason
from stores.keys import ImageKey
from stores.manifest import Manifest
from tasks.datasets import labelled_files
from tasks.datasets.ingest import ingest
from tasks.errors import InputError
from tests.support.entries import as_entries, entries_of
from tests.support.images import bomb, grow_old, small_png, write, write_classes
from tests.support.ingested import by_path, refusal, split_of_keys


@pytest.fixture
def folder(tmp_path):
    return write_classes(tmp_path / "pets")


def test_a_folder_becomes_a_manifest(folder, store):
    manifest, read = (done := ingest(folder, store=store)).manifest, done.read
    assert read == 10
    assert manifest == Manifest.read(store, "pets")
    assert (manifest.folder, manifest.classes) == (str(folder), ("cat", "dog"))
    assert manifest.counts() == {
        c: {"train": 3, "validation": 1, "test": 1} for c in manifest.classes
    }
    for path, entry in by_path(manifest).items():
        about = (folder / path).stat()
        assert entry.key == ImageKey.of((folder / path).read_bytes())
        assert entry.label == path.split("/")[0]
        assert entry.stamp == (about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino)


def test_what_is_left_out_is_listed_with_its_reason(folder, store):
    write(folder / "cat" / "photo.webp", small_png(1))
    write(folder / "cat" / "broken.jpg", b"no image")
    write(folder / "notes.txt", b"note")
    summary = ingest(folder, store=store).manifest.summary()
    assert summary.images == 10
    assert summary.ignored == (
        FileReason("cat/photo.webp", "not an extension that Keras reads"),
        FileReason("notes.txt", "not in a class folder"),
    )
    assert [file.path for file in summary.rejected] == ["cat/broken.jpg"]
    assert summary.rejected[0].reason.startswith("cannot be decoded: ")


def test_a_link_to_a_folder_is_that_folder(folder, store, tmp_path):
    ingest(folder, store=store)
    (tmp_path / "link").symlink_to(folder)
    assert ingest(tmp_path / "link", store=store).read == 0
    assert ingest(folder / ".." / "pets", store=store).read == 0


def test_bad_files_stop_nothing_and_are_said(folder, store):
    write(folder / "cat" / "broken.png", small_png(50)[:-30])
    write(folder / "cat" / "empty.png", b"")
    write(folder / "cat" / "text.jpg", b"no image")
    write(folder / "cat" / "bomb.png", bomb(30_000))
    os.mkfifo(folder / "cat" / "pipe.jpg")
    (folder / "cat" / "dangling.jpg").symlink_to("missing")
    grow_old()
    done = ingest(folder, store=store)
    reasons = {
        e.path[4:]: e.reason.split(":")[0] for e in as_entries(done.manifest.of_status("rejected"))
    }
    assert reasons == {
        "broken.png": "cannot be decoded",
        "empty.png": "the file is empty",
        "text.jpg": "cannot be decoded",
        "bomb.png": "refused before decoding",
        "pipe.jpg": "cannot be read",
        "dangling.jpg": "cannot be read",
    }
    assert done.manifest.summary().images == 10
    assert done.read == 14
    assert ingest(folder, store=store).read == 0


def test_odd_names_are_kept_as_they_are(folder, store):
    names = ["a b.png", "é ü ñ.png", "two\nlines.png", "tab\t'\".png", "日本.png"]
    for number, name in enumerate(names):
        write(folder / "cat" / name, small_png(60 + number))
    ingest(folder, store=store)
    entries = by_path(Manifest.read(store, "pets"))
    assert {entries[f"cat/{name}"].status for name in names} == {"accepted"}


def test_a_name_that_is_not_utf8_costs_that_file_only(folder, store):
    write(folder / "cat" / os.fsdecode(b"\xe9t\xe9.png"), small_png(70))
    done = ingest(folder, store=store)
    (odd,) = as_entries(done.manifest.of_status("rejected"))
    assert odd.path == "cat/\\xe9t\\xe9.png"
    assert "the name is not UTF-8" in odd.reason
    assert done.manifest.classes == ("cat", "dog")
    assert done.manifest.summary().images == 10
    assert ingest(folder, store=store).read == 0


def test_an_odd_class_is_kept_as_it_is(folder, store):
    (folder / "cat").rename(folder / "Kätz\nchen ")
    assert ingest(folder, store=store).manifest.classes == ("Kätz\nchen ", "dog")
    assert Manifest.read(store, "pets").classes == ("Kätz\nchen ", "dog")


def test_one_class_alone_can_be_ingested(tmp_path, store):
    folder = write_classes(tmp_path / "pets", classes=("cat",))
    assert ingest(folder, store=store).manifest.classes == ("cat",)


def test_a_class_without_a_usable_image_is_refused_with_a_reason(folder, store):
    write(folder / "bird" / "1.png", b"")
    said = refusal(folder, store)
    assert "no usable image in class 'bird' (for example, bird/1.png: the file is empty)" in said
    assert not (store / "datasets" / "pets" / "manifest.parquet").exists()


def test_another_folder_of_the_same_name_is_refused(folder, store, tmp_path):
    before = ingest(folder, store=store).manifest
    other = write_classes(tmp_path / "other" / "pets", count=3)
    said = refusal(other, store)
    assert str(folder) in said
    assert "--dataset" in said
    assert Manifest.read(store, "pets") == before
    assert ingest(other, store=store, dataset="other pets").read == 6
    assert Manifest.read(store, "pets") == before


def test_a_data_set_has_a_name_that_acts_on_no_terminal(tmp_path, store):
    folder = write_classes(tmp_path / "pets\u202e")
    assert "'pets\\u202e': the name of a data set cannot have" in refusal(folder, store)
    assert ingest(folder, store=store, dataset="pets").manifest.name == "pets"


def test_a_data_set_given_another_folder_by_name_becomes_that_folder(folder, store, tmp_path):
    before = ingest(folder, store=store).manifest
    other = write_classes(tmp_path / "other", count=3)
    after = ingest(other, store=store, dataset="pets")
    assert after.read == 6
    assert after.manifest.folder == str(other)
    same = {e.key for e in entries_of(before)} & {
        e.key for e in as_entries(after.manifest.of_status("accepted"))
    }
    assert all(split_of_keys(after.manifest)[key] == split_of_keys(before)[key] for key in same)


def test_a_folder_that_changes_while_it_is_listed_is_tried_again(folder, store, monkeypatch):
    listed = labelled_files.list_folder

    def list_and_add(folder, layout):
        listing = listed(folder, layout)
        write(folder / "cat" / "new.png", small_png(99))
        return listing

    monkeypatch.setattr(labelled_files, "list_folder", list_and_add)
    with pytest.raises(OSError, match=r"for example 'cat/new.png'; run the command again") as error:
        ingest(folder, store=store)
    assert not isinstance(error.value, InputError)
