"""What a seed, the same bytes twice and a folder's own splits make of an image's split."""

import shutil

import pytest

from tasks.datasets import keras_listing as keras_module
from tasks.datasets import listed_files as listing_module
from tasks.datasets.ingest import ingest
from tasks.datasets.splits import SplitRule
from tests.support.entries import as_entries, entries_of
from tests.support.images import grow_old, small_png, write, write_classes
from tests.support.ingested import by_path, refusal, split_of_keys


@pytest.fixture
def folder(tmp_path):
    return write_classes(tmp_path / "pets")


def three_folders(folder, *names):
    for number, name in enumerate(names):
        for label, start in (("cat", 0), ("dog", 500)):
            for image in range(10):
                path = folder / name / label / f"{image:03}.png"
                write(path, small_png(1000 * number + start + image))
    return folder


def test_another_seed_draws_anew_and_reads_nothing(tmp_path, store):
    folder = write_classes(tmp_path / "pets", count=15)
    before = ingest(folder, store=store).manifest
    after = ingest(folder, store=store, rule=SplitRule(seed=1))
    assert after.read == 0
    assert split_of_keys(after.manifest) != split_of_keys(before)
    assert ingest(folder, store=store).manifest == after.manifest


def test_duplicates_share_a_split(folder, store):
    for path in sorted((folder / "cat").iterdir()):
        shutil.copy(path, path.with_name(f"copy of {path.name}"))
    manifest = ingest(folder, store=store).manifest
    entries = by_path(manifest)
    assert manifest.summary().duplicates == 5
    assert sum(manifest.counts()["cat"].values()) == 5
    for path in (folder / "cat").glob("copy of *"):
        original = path.name.removeprefix("copy of ")
        assert entries[f"cat/{path.name}"].split == entries[f"cat/{original}"].split


def test_the_same_bytes_under_two_labels_are_reported_and_kept_out(folder, store):
    before = ingest(folder, store=store).manifest
    twin = shutil.copy(folder / "cat" / "001.png", folder / "dog" / "twin.png")
    manifest = ingest(folder, store=store).manifest
    paths = {entry.path for entry in as_entries(manifest.of_status("conflicting"))}
    assert paths == {"cat/001.png", "dog/twin.png"}
    assert "under another label" in manifest.summary().rejected[0].reason
    assert paths.isdisjoint(manifest.select().paths.to_pylist())
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
    left_out = {e.path: e.reason for e in as_entries(manifest.of_status("conflicting"))}
    assert left_out == {
        "train/cat/twin.png": "the same bytes as 'test/cat/twin.png': left out of train",
        "validation/cat/twin.png": "the same bytes as 'test/cat/twin.png': left out of validation",
        "validation/cat/003.png": "the same bytes as 'test/cat/twin.png': left out of validation",
        "train/dog/twin.png": "the same bytes as 'test/dog/004.png': left out of train",
        "validation/dog/twin.png": "the same bytes as 'test/dog/004.png': left out of validation",
    }


def test_given_splits_stand(tmp_path, store):
    folder = three_folders(tmp_path / "pets", "train", "validation", "test")
    manifest = ingest(folder, store=store).manifest
    assert {e.split == e.path.split("/")[0] for e in entries_of(manifest)} == {True}
    assert manifest.summary().images == 60


def test_a_fifth_of_validation_becomes_test_where_there_is_none(tmp_path, store):
    folder = three_folders(tmp_path / "pets", "train", "validation")
    manifest = ingest(folder, store=store).manifest
    assert manifest.counts()["cat"] == {"train": 10, "validation": 8, "test": 2}
    write(folder / "validation" / "cat" / "new.png", small_png(9999))
    after = ingest(folder, store=store).manifest
    assert split_of_keys(after).items() >= split_of_keys(manifest).items()


def test_a_fifth_of_train_becomes_validation_where_only_test_is_given(tmp_path, store):
    folder = three_folders(tmp_path / "pets", "training_set", "test_set")
    manifest = ingest(folder, store=store).manifest
    assert manifest.classes == ("cat", "dog")
    assert manifest.counts()["cat"] == {"train": 8, "validation": 2, "test": 10}
    tested = {e.path for e in entries_of(manifest) if e.split == "test"}
    assert {path.split("/")[0] for path in tested} == {"test_set"}
    write(folder / "training_set" / "cat" / "new.png", small_png(9999))
    after = ingest(folder, store=store).manifest
    assert split_of_keys(after).items() >= split_of_keys(manifest).items()
    other = ingest(folder, store=store, rule=SplitRule(validation_split=0.5)).manifest
    assert other.counts()["dog"] == {"train": 5, "validation": 5, "test": 10}


def test_what_was_said_of_the_layout_is_remembered(tmp_path, store):
    folder = three_folders(tmp_path / "pets", "2019", "2020")
    grow_old()
    assert "2019/ and 2020/ hold the same folders" in refusal(folder, store)
    manifest = ingest(folder, store=store, layout="train=2019,test=2020").manifest
    assert manifest.layout == "train=2019,test=2020"
    assert manifest.counts()["cat"] == {"train": 8, "validation": 2, "test": 10}
    again = ingest(folder, store=store)
    assert (again.manifest, again.read) == (manifest, 0)
    swapped = ingest(folder, store=store, layout="train=2020,test=2019")
    assert swapped.read == 0
    assert swapped.manifest.counts() == manifest.counts()
    assert swapped.manifest.digest != manifest.digest
    assert ingest(folder, store=store, layout="classes").manifest.classes == ("2019", "2020")
    assert ingest(folder, store=store).manifest.classes == ("2019", "2020")
    assert "give --layout" in refusal(folder, store, layout="auto")


def test_folders_pooled_as_train_are_split_as_one(tmp_path, store):
    folder = three_folders(tmp_path / "pets", "fold_0", "fold_1")
    manifest = ingest(folder, store=store, layout="train=fold_0,train=fold_1").manifest
    assert manifest.counts()["cat"] == {"train": 13, "validation": 3, "test": 4}


def test_a_wrapped_folder_gives_the_splits_of_an_unwrapped_one(tmp_path, store):
    plain = ingest(write_classes(tmp_path / "pets"), store=store).manifest
    write_classes(tmp_path / "archive" / "PetImages")
    wrapped = ingest(tmp_path / "archive", store=store).manifest
    assert wrapped.digest == plain.digest
    assert wrapped.notes == ("the class folders are those of PetImages/",)
    assert not plain.notes


def test_images_in_a_hidden_folder_leave_a_data_set_that_had_them(tmp_path, store, monkeypatch):
    folder = write_classes(tmp_path / "pets")
    write(folder / "cat" / ".ipynb_checkpoints" / "1-checkpoint.png", small_png(777))
    grow_old()
    with monkeypatch.context() as before:
        for module in (keras_module, listing_module):
            before.setattr(module, "is_hidden", lambda _: False)
        assert len(as_entries(ingest(folder, store=store).manifest.of_status("accepted"))) == 11
    manifest = ingest(folder, store=store).manifest
    assert len(manifest.of_status("accepted")) == 10
    assert {e.path for e in as_entries(manifest.of_status("ignored"))} == {
        "cat/.ipynb_checkpoints/1-checkpoint.png"
    }
    assert "left out, for example in cat/.ipynb_checkpoints/" in manifest.summary().notes[0]
    assert ingest(folder, store=store).manifest == manifest
