"""A folder becomes a data set's manifest: only what changed is read, and nothing bad stops it."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest

from stores.errors import StoreReadOnly
from stores.keys import ImageKey
from stores.manifest import Manifest
from tasks import ingest as ingest_module
from tasks.errors import InputError
from tasks.examine import Examined
from tasks.ingest import ingest
from tasks.splits import SplitRule
from tests.stores.samples import in_child, snapshot
from tests.tasks.images import bomb, grow_old, small_png, write, write_classes

# What another process does: it says when it is ready, waits, ingests, and tells what it did.
ELSEWHERE = """
import json, sys
from pathlib import Path
folder, store, *early = sys.argv[1:]
opened = []
sys.addaudithook(lambda event, told: event == "open" and opened.append(str(told[0])))
from tasks.ingest import ingest
if early: import keras
print("ready", flush=True); input()
read = ingest(Path(folder), store=Path(store)).read
modules = [name for name in ("tensorflow", "keras") if name in sys.modules]
inside = [path for path in opened if path.startswith(folder)]
print(json.dumps({"read": read, "modules": modules, "opened": inside}))
"""


@pytest.fixture
def folder(tmp_path):
    return write_classes(tmp_path / "pets")


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def elsewhere():
    """Return a function that starts an ingest in another process, which waits for a line."""
    started = []

    def start(*arguments):
        command = [sys.executable, "-c", ELSEWHERE, *map(str, arguments)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, stderr=subprocess.DEVNULL, **pipes))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def told(process):
    """Let another process go on, and return what it tells at its end."""
    output, _ = process.communicate("\n", timeout=60)
    return json.loads(output.splitlines()[-1])


def by_path(manifest):
    return {e.path: e for e in manifest.entries if e.status != "absent"}


def split_of_keys(manifest):
    return {e.key: e.split for e in manifest.entries if e.key}


def refusal(folder, store, **options):
    with pytest.raises(InputError) as error:
        ingest(folder, store=store, **options)
    assert "\n" not in str(error.value).replace(str(folder), "")
    return str(error.value)


# What is ingested, and what is kept


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


def test_a_store_holds_what_the_format_says_and_nothing_else(folder, store):
    for _ in range(2):
        ingest(folder, store=store, rehash=True)
    names = {str(path.relative_to(store)) for path in store.rglob("*")}
    base = "datasets/pets"
    assert names == {
        "datasets",
        base,
        *(f"{base}/{n}" for n in ("manifest.parquet", "lock", "tmp")),
    }


def test_what_is_left_out_is_listed_with_its_reason(folder, store):
    write(folder / "cat" / "photo.webp", small_png(1))
    write(folder / "cat" / "broken.jpg", b"no image")
    write(folder / "notes.txt", b"note")
    summary = ingest(folder, store=store).manifest.summary()
    assert summary["images"] == 10
    assert summary["ignored"] == [
        {"path": "cat/photo.webp", "reason": "not an ending that Keras reads"},
        {"path": "notes.txt", "reason": "not in a class folder"},
    ]
    assert [file["path"] for file in summary["rejected"]] == ["cat/broken.jpg"]
    assert summary["rejected"][0]["reason"].startswith("cannot be decoded: ")


def test_a_link_to_a_folder_is_that_folder(folder, store, tmp_path):
    ingest(folder, store=store)
    (tmp_path / "link").symlink_to(folder)
    assert ingest(tmp_path / "link", store=store).read == 0
    assert ingest(folder / ".." / "pets", store=store).read == 0


# What is read again


def test_an_unchanged_folder_is_not_read_and_needs_no_tensorflow(folder, store, elsewhere):
    ingest(folder, store=store)
    before = snapshot(store)
    seen = told(elsewhere(folder, store))
    assert seen["read"] == 0
    assert seen["modules"] == []
    assert set(seen["opened"]) <= {str(folder)}  # it is listed
    assert snapshot(store) == before


def test_an_unchanged_folder_gives_the_same_manifest(folder, store):
    first = ingest(folder, store=store).manifest
    assert ingest(folder, store=store).manifest == first
    assert ingest(folder, store=store, rule=SplitRule(seed=0, test_split=0.2)).manifest == first


@pytest.mark.parametrize("tick", [ingest_module.CLOCK_TICK_NS, -(10**15)], ids=["young", "stamp"])
def test_an_edit_that_restores_size_and_mtime_is_noticed(folder, store, monkeypatch, tick):
    monkeypatch.setattr(ingest_module, "CLOCK_TICK_NS", tick)  # below 0, no file is too young
    before = ingest(folder, store=store).manifest
    path = folder / "cat" / "001.png"
    about, content = path.stat(), path.read_bytes()
    path.write_bytes(content[:-1] + b"\0")
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    after = ingest(folder, store=store)
    assert path.stat().st_mtime_ns == about.st_mtime_ns
    assert after.read == 1
    assert by_path(after.manifest)["cat/001.png"].key == ImageKey.of(content[:-1] + b"\0")
    assert by_path(after.manifest)["cat/001.png"].split == by_path(before)["cat/001.png"].split


def test_a_file_as_young_as_the_listing_is_read_again(folder, store, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(ingest_module, "CLOCK_TICK_NS", 10**12)
        assert [ingest(folder, store=store).read for _ in range(3)] == [10, 10, 10]
    assert ingest(folder, store=store).read == 0


def test_a_file_written_just_before_is_read_again_once(folder, store):
    write(folder / "cat" / "new.png", small_png(99))
    first = ingest(folder, store=store)
    grow_old()
    assert (first.read, ingest(folder, store=store).read) == (10 + 1, 1)
    assert ingest(folder, store=store).read == 0


def test_a_date_in_the_future_is_not_young(folder, store):
    os.utime(folder / "cat" / "001.png", (2**33, 2**33))
    grow_old()
    assert [ingest(folder, store=store).read for _ in range(2)] == [10, 0]


def test_rehash_reads_everything(folder, store):
    first = ingest(folder, store=store).manifest
    again = ingest(folder, store=store, rehash=True)
    assert again.read == 10
    assert again.manifest == replace(first, listed_ns=again.manifest.listed_ns)


def test_rehash_finds_what_the_stamp_hides(folder, store, monkeypatch):
    manifest = ingest(folder, store=store).manifest
    stale = tuple(replace(e, key=ImageKey.of(b"stale")) for e in manifest.entries)
    replace(manifest, entries=stale).write(store)
    assert ingest(folder, store=store).manifest.entries == stale
    rehashed = ingest(folder, store=store, rehash=True).manifest
    assert by_path(rehashed) == by_path(manifest)


def test_what_could_not_be_read_is_tried_again_when_it_can_be(folder, store, monkeypatch):
    closed = Examined(None, "rejected", "cannot be read: Permission denied")
    with monkeypatch.context() as patch:
        patch.setattr(ingest_module, "examine", lambda _: closed)
        patch.setattr(ingest_module, "_check_classes", lambda *_: None)
        ingest(folder, store=store)
        patch.setattr(os, "access", lambda *_: False)
        assert ingest(folder, store=store).read == 0
    again = ingest(folder, store=store)
    assert again.read == 10
    assert len(again.manifest.of_status("accepted")) == 10


# What changes in a folder


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
    assert [e for e in after.manifest.entries if e.status == "absent"] == []


def test_a_moved_folder_keeps_everything_when_it_is_named(folder, store):
    before = ingest(folder, store=store).manifest
    moved = folder.rename(folder.with_name("animals"))
    after = ingest(moved, store=store, dataset="pets")
    assert after.read == 0
    assert after.manifest.folder == str(moved)
    assert after.manifest.entries == before.entries
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
    assert {e.path for e in without.manifest.of_status("absent")} == set(content)
    assert without.manifest.summary()["images"] == len(without.manifest.select().paths) == 8
    for number, path in enumerate(content):
        write(folder / path.split("/")[0] / f"back {number}.png", content[path])
    back = ingest(folder, store=store).manifest
    assert back.of_status("absent") == []
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


def test_another_seed_draws_anew_and_reads_nothing(tmp_path, store):
    folder = write_classes(tmp_path / "pets", count=15)
    before = ingest(folder, store=store).manifest
    after = ingest(folder, store=store, rule=SplitRule(seed=1))
    assert after.read == 0
    assert split_of_keys(after.manifest) != split_of_keys(before)
    assert ingest(folder, store=store).manifest == after.manifest


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
    assert after.summary()["images"] == 5


# The same bytes twice


def test_duplicates_share_a_split(folder, store):
    for path in sorted((folder / "cat").iterdir()):
        shutil.copy(path, path.with_name(f"copy of {path.name}"))
    manifest = ingest(folder, store=store).manifest
    entries = by_path(manifest)
    assert manifest.summary()["duplicates"] == 5
    assert sum(manifest.counts()["cat"].values()) == 5
    for path in (folder / "cat").glob("copy of *"):
        original = path.name.removeprefix("copy of ")
        assert entries[f"cat/{path.name}"].split == entries[f"cat/{original}"].split


def test_the_same_bytes_under_two_labels_are_reported_and_kept_out(folder, store):
    before = ingest(folder, store=store).manifest
    twin = shutil.copy(folder / "cat" / "001.png", folder / "dog" / "twin.png")
    manifest = ingest(folder, store=store).manifest
    paths = {entry.path for entry in manifest.of_status("conflicting")}
    assert paths == {"cat/001.png", "dog/twin.png"}
    assert "under another label" in manifest.summary()["rejected"][0]["reason"]
    assert paths.isdisjoint(manifest.select().paths)
    twin.unlink()
    again = ingest(folder, store=store).manifest
    assert by_path(again)["cat/001.png"].status == "accepted"
    assert split_of_keys(again) == split_of_keys(before)


def test_the_same_bytes_in_train_and_validation_are_left_out_of_train(tmp_path, store):
    folder = three_folders(tmp_path / "pets", "train", "validation", "test")
    for number, name in enumerate(["train", "validation", "test"]):
        shutil.copy(folder / "validation" / "cat" / "003.png", folder / name / "cat" / "twin.png")
        if number < 2:
            shutil.copy(folder / "test" / "dog" / "004.png", folder / name / "dog" / "twin.png")
    manifest = ingest(folder, store=store).manifest
    left_out = {e.path: e.reason for e in manifest.of_status("conflicting")}
    assert left_out == {
        "train/cat/twin.png": "the same bytes as 'test/cat/twin.png': left out of train",
        "validation/cat/twin.png": "the same bytes as 'test/cat/twin.png': left out of validation",
        "validation/cat/003.png": "the same bytes as 'test/cat/twin.png': left out of validation",
        "train/dog/twin.png": "the same bytes as 'test/dog/004.png': left out of train",
        "validation/dog/twin.png": "the same bytes as 'test/dog/004.png': left out of validation",
    }


# What folders say of splits


def three_folders(folder, *names):
    for number, name in enumerate(names):
        for label, start in (("cat", 0), ("dog", 500)):
            for image in range(10):
                path = folder / name / label / f"{image:03}.png"
                write(path, small_png(1000 * number + start + image))
    return folder


def test_given_splits_stand(tmp_path, store):
    folder = three_folders(tmp_path / "pets", "train", "validation", "test")
    manifest = ingest(folder, store=store).manifest
    assert {e.split == e.path.split("/")[0] for e in manifest.entries} == {True}
    assert manifest.summary()["images"] == 60


def test_a_fifth_of_validation_becomes_test_where_there_is_none(tmp_path, store):
    folder = three_folders(tmp_path / "pets", "train", "validation")
    manifest = ingest(folder, store=store).manifest
    assert manifest.counts()["cat"] == {"train": 10, "validation": 8, "test": 2}
    write(folder / "validation" / "cat" / "new.png", small_png(9999))
    after = ingest(folder, store=store).manifest
    assert split_of_keys(after).items() >= split_of_keys(manifest).items()


# Bad input


def test_bad_files_stop_nothing_and_are_said(folder, store):
    write(folder / "cat" / "broken.png", small_png(50)[:-30])
    write(folder / "cat" / "empty.png", b"")
    write(folder / "cat" / "text.jpg", b"no image")
    write(folder / "cat" / "bomb.png", bomb(30_000))
    os.mkfifo(folder / "cat" / "pipe.jpg")
    (folder / "cat" / "dangling.jpg").symlink_to("missing")
    grow_old()
    done = ingest(folder, store=store)
    reasons = {e.path[4:]: e.reason.split(":")[0] for e in done.manifest.of_status("rejected")}
    assert reasons == {
        "broken.png": "cannot be decoded",
        "empty.png": "the file is empty",
        "text.jpg": "cannot be decoded",
        "bomb.png": "refused before decoding",
        "pipe.jpg": "cannot be read",
        "dangling.jpg": "cannot be read",
    }
    assert done.manifest.summary()["images"] == 10
    assert done.read == 14
    assert ingest(folder, store=store).read == 0


def test_odd_names_are_kept_as_they_are(folder, store):
    names = ["a b.png", "é ü ñ.png", "two\nlines.png", "tab\t'\".png", "日本.png"]
    for number, name in enumerate(names):
        write(folder / "cat" / name, small_png(60 + number))
    ingest(folder, store=store)
    entries = by_path(Manifest.read(store, "pets"))
    assert {entries[f"cat/{name}"].status for name in names} == {"accepted"}


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
    assert "no usable image in class 'bird' (for one, bird/1.png: the file is empty)" in said
    assert not (store / "datasets" / "pets" / "manifest.parquet").exists()


@pytest.mark.parametrize("place", [".", "store", "cat/store", "new/store"])
def test_a_store_within_the_images_is_refused(folder, place):
    assert "the store would lie in the folder of images" in refusal(folder, folder / place)


@pytest.mark.parametrize("place", ["../pets-store", ".store", "../.store"])
def test_a_store_beside_the_images_is_fine(folder, place):
    assert ingest(folder, store=folder / place).read == 10
    assert ingest(folder, store=folder / place).read == 0


def test_another_folder_of_the_same_name_is_refused(folder, store, tmp_path):
    before = ingest(folder, store=store).manifest
    other = write_classes(tmp_path / "other" / "pets", count=3)
    said = refusal(other, store)
    assert str(folder) in said
    assert "--dataset" in said
    assert Manifest.read(store, "pets") == before
    assert ingest(other, store=store, dataset="other pets").read == 6
    assert Manifest.read(store, "pets") == before


def test_a_data_set_given_another_folder_by_name_becomes_that_folder(folder, store, tmp_path):
    before = ingest(folder, store=store).manifest
    other = write_classes(tmp_path / "other", count=3)
    after = ingest(other, store=store, dataset="pets")
    assert after.read == 6
    assert after.manifest.folder == str(other)
    same = {e.key for e in before.entries} & {e.key for e in after.manifest.of_status("accepted")}
    assert all(split_of_keys(after.manifest)[key] == split_of_keys(before)[key] for key in same)


def test_a_folder_that_changes_while_it_is_listed_is_tried_again(folder, store, monkeypatch):
    listed = ingest_module.list_folder

    def list_and_add(folder):
        listing = listed(folder)
        write(folder / "cat" / "new.png", small_png(99))
        return listing

    monkeypatch.setattr(ingest_module, "list_folder", list_and_add)
    with pytest.raises(OSError, match=r"for one 'cat/new.png': somebody writes") as error:
        ingest(folder, store=store)
    assert not isinstance(error.value, InputError)


# Stores that are shared


def test_a_read_only_store_serves_an_unchanged_folder(public):
    folder = write_classes(public / "pets")
    ingest(folder, store=public / "store")
    for path in [public / "store", *(public / "store").rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    assert in_child(lambda: ingest(folder, store=public / "store").read, nobody=True) == 0
    write(folder / "cat" / "new.png", small_png(99))
    with pytest.raises(StoreReadOnly):
        in_child(lambda: ingest(folder, store=public / "store"), nobody=True)


def test_two_processes_ingest_at_once(folder, store, elsewhere):
    other = elsewhere(folder, store, "early")
    assert other.stdout.readline() == "ready\n"
    with ThreadPoolExecutor(1) as pool:
        theirs = pool.submit(told, other)
        ours = ingest(folder, store=store)
    assert {theirs.result()["read"], ours.read} <= {0, 10}
    manifest = Manifest.read(store, "pets")
    assert manifest.entries == ours.manifest.entries
    assert len(manifest.of_status("accepted")) == 10


def test_many_threads_ingest_at_once(folder, store):
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: ingest(folder, store=store, rehash=True), range(4)))
    assert [d.read for d in done] == [10] * 4
    assert {d.manifest.digest for d in done} == {Manifest.read(store, "pets").digest}
    assert list((store / "datasets" / "pets" / "tmp").iterdir()) == []


def test_an_older_listing_does_not_undo_a_newer_one(folder, store, monkeypatch):
    locked = ingest_module.dataset_lock

    @contextmanager
    def wait_for_another(*dataset):
        monkeypatch.setattr(ingest_module, "dataset_lock", locked)
        write(folder / "cat" / "new.png", small_png(99))
        ingest(folder, store=store)
        with locked(*dataset):
            yield

    monkeypatch.setattr(ingest_module, "dataset_lock", wait_for_another)
    manifest = ingest(folder, store=store).manifest
    assert by_path(manifest)["cat/new.png"].status == "accepted"
    assert manifest == Manifest.read(store, "pets")
