"""What a seed, the same bytes twice and a folder's own splits make of an image's split."""

import shutil

import pytest

from tasks.ingest import ingest
from tasks.splits import SplitRule
from tests.tasks.images import small_png, write, write_classes
from tests.tasks.ingested import by_path, split_of_keys


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
