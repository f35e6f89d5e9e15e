"""Files that are not what they were when they were ingested cost themselves only."""

import shutil
from collections import Counter

import pytest

from stores import FeatureStore, MissingFeatures
from stores.manifest import Manifest
from tasks.datasets.ingest import ingest
from tasks.errors import InputError
from tasks.features.extract import find_missing, plan_shards
from tasks.features.job import make_job
from tasks.features.shard_work import extract_shard
from tasks.features.unusable_files import record_rejections
from tests.support.entries import as_entries, entries_of
from tests.support.extraction import (
    REQUEST,
    assert_same,
    extract,
    extract_from,
    rows_of_keras,
    write_image,
    write_old_folder,
)


@pytest.fixture
def folder(tmp_path):
    return write_old_folder(tmp_path / "pets")


def overwrite(path):
    write_image(path, seed=3000)


def vanish(path):
    path.unlink()


def cut(path):
    path.write_bytes(path.read_bytes()[:40])


def empty(path):
    path.write_bytes(b"")


def become_a_folder(path):
    path.unlink()
    path.mkdir()


def become_a_loop(path):
    path.unlink()
    path.symlink_to(path.name)


SPOILT = [overwrite, vanish, cut, empty, become_a_folder, become_a_loop]


@pytest.mark.parametrize("spoil", SPOILT)
def test_a_file_that_is_spoilt_after_ingest_costs_itself_only(tiny, folder, store, spoil):
    manifest = ingest(folder, store=store).manifest
    (old,) = [e.key for e in entries_of(manifest) if e.path == "cats/0004.png"]
    rows = rows_of_keras(tiny, folder)
    spoil(folder / "cats/0004.png")
    done = extract_from(manifest, store, batch_size=8)
    assert [(r.path, r.changed) for r in done.rejected] == [("cats/0004.png", True)]
    del rows["cats/0004.png"]
    assert tiny.read_diary() == Counter(rows.values())
    assert len(done.features(store)) == done.computed == 19
    features = FeatureStore(store, done.job.recipes[0])
    assert features.missing([old]).all()
    with pytest.raises(MissingFeatures):
        features.read([old])
    assert [e.path for e in as_entries(Manifest.read(store, "pets").of_status("rejected"))] == [
        "cats/0004.png"
    ]


@pytest.mark.parametrize("pooling", ["avg", "none"])
def test_a_batch_of_nothing_but_spoilt_files_costs_them_only(tiny, folder, store, pooling):
    manifest = ingest(folder, store=store).manifest
    vanish(folder / "cats/0004.png")
    done = extract_from(manifest, store, batch_size=1, pooling=pooling)
    assert (done.computed, len(done.rejected)) == (19, 1)


def test_a_folder_that_becomes_a_file_costs_its_images_only(tiny, folder, store):
    (folder / "cats/below").mkdir()
    write_image(folder / "cats/below/one.png", seed=3000)
    manifest = ingest(folder, store=store).manifest
    shutil.rmtree(folder / "cats/below")
    (folder / "cats/below").write_text("a file")
    done = extract_from(manifest, store)
    assert [r.path for r in done.rejected] == ["cats/below/one.png"]
    assert done.computed == 20


@pytest.mark.parametrize("gone", [".", "cats"])
def test_a_folder_that_is_not_mounted_rejects_nothing(tiny, folder, store, gone):
    manifest = ingest(folder, store=store).manifest
    shutil.rmtree(folder / gone)
    with pytest.raises(InputError, match=r"folder not found; mount it"):
        extract_from(manifest, store)
    assert Manifest.read(store, "pets") == manifest


def test_an_image_that_does_not_fit_a_recipe_is_named_and_stays_in_the_data_set(
    tiny, folder, store
):
    write_image(folder / "cats/thin.png", seed=3000, size=(1, 2000))
    manifest = ingest(folder, store=store).manifest
    with pytest.raises(InputError, match=r"image 'cats/thin.png' cannot be resized to .*so thin"):
        extract_from(manifest, store, aspect_ratio="pad")
    assert Manifest.read(store, "pets") == manifest
    assert extract_from(manifest, store).computed == 21


def test_the_next_ingest_reads_a_changed_file_again(tiny, folder, store, tmp_path):
    manifest = ingest(folder, store=store).manifest
    overwrite(folder / "cats/0004.png")
    extract_from(manifest, store)
    again = ingest(folder, store=store)
    assert again.read >= 1
    assert {e.status for e in entries_of(again.manifest) if e.path == "cats/0004.png"} == {
        "accepted",
        "absent",
    }
    done = extract_from(again.manifest, store)
    assert done.computed == 1
    assert_same(
        extract(folder, tmp_path / "fresh").features(tmp_path / "fresh"), done.features(store)
    )


def test_a_file_that_cannot_be_decoded_costs_itself_only(tiny, folder, store, monkeypatch):
    from tasks.images import decoding as pixels

    bad = (folder / "cats/0004.png").read_bytes()
    load = pixels.load_pixels

    def picky(contents, recipe, turns=()):
        return load([b"\x89PNG" if content == bad else content for content in contents], recipe)

    monkeypatch.setattr(pixels, "load_pixels", picky)
    done = extract(folder, store)
    ((path, reason, changed),) = [(r.path, r.reason, r.changed) for r in done.rejected]
    assert (path, changed, done.computed) == ("cats/0004.png", False, 19)
    assert reason.startswith("cannot be decoded")
    assert (
        as_entries(ingest(folder, store=store).manifest.of_status("rejected"))[0].reason == reason
    )


def test_a_duplicate_of_a_changed_file_is_used(tiny, folder, store):
    shutil.copy(folder / "cats/0004.png", folder / "cats/9999.png")
    manifest = ingest(folder, store=store).manifest
    overwrite(folder / "cats/0004.png")
    done = extract_from(manifest, store)
    assert [r.path for r in done.rejected] == ["cats/0004.png"]
    assert done.computed == len(done.features(store)) == 20


def test_a_changed_image_keeps_its_split_when_it_comes_back(tiny, folder, store):
    manifest = ingest(folder, store=store).manifest
    held_out = next(e for e in entries_of(manifest) if e.split == "test")
    path = folder / held_out.path
    content = path.read_bytes()
    path.unlink()
    extract_from(manifest, store)
    ingest(folder, store=store)
    for number in range(20):
        write_image(folder / f"{held_out.label}/more{number}.png", seed=4000 + number)
    ingest(folder, store=store)
    (folder / held_out.label / "back.png").write_bytes(content)
    again = ingest(folder, store=store).manifest
    assert {e.split for e in entries_of(again) if e.key == held_out.key} == {"test"}


def test_rejections_do_not_touch_what_was_ingested_meanwhile(tiny, folder, store):
    manifest = ingest(folder, store=store).manifest
    overwrite(folder / "cats/0004.png")
    (work,) = plan_shards(
        find_missing(manifest, make_job(REQUEST, store=store, engine="keras"), store=store)[0],
        manifest,
    )
    rejected = extract_shard(work, store=store).rejected
    newer = ingest(folder, store=store).manifest
    assert record_rejections(manifest, rejected, store=store).select().paths.to_pylist() == (
        newer.select().paths.to_pylist()
    )
