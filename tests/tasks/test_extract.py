"""The backbone sees exactly what is new: told by what it wrote down, not by our own counters."""

import os
import shutil
import time
from collections import Counter
from dataclasses import replace
from functools import partial

import keras
import numpy as np
import pytest

from stores import FeatureStore, MissingFeatures
from stores.manifest import Manifest
from tasks import extract as extract_module
from tasks.engines import load_engine
from tasks.errors import ExtractionError
from tasks.extract import extract_shard, find_missing, plan_shards, record_rejections
from tasks.ingest import ingest
from tasks.recipes import make_job
from tests.stores.samples import snapshot
from tests.tasks.extraction import (
    REQUEST,
    assert_same,
    extract,
    extract_from,
    write_folder,
    write_image,
)


@pytest.fixture
def folder(tmp_path):
    folder = write_folder(tmp_path / "pets")
    time.sleep(0.03)  # older than a tick of the file system's clock: ingest may trust the stamps
    return folder


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


def rows_of_keras(tiny, folder, **options):
    """Return what Keras itself makes of each file below a folder, as the diary has it."""
    dataset = keras.utils.image_dataset_from_directory(
        folder, labels=None, image_size=(tiny.SIZE, tiny.SIZE), shuffle=False, **options
    )
    rows = tiny.preprocess_input(np.concatenate(list(dataset.as_numpy_iterator())))
    names = [os.path.relpath(path, folder) for path in dataset.file_paths]
    return {name: tiny.hash_of(row) for name, row in zip(names, rows, strict=True)}


def everything(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*.png")}


def nothing(folder):
    return set()


def edit_one(folder):
    write_image(folder / "cats/0004.png", seed=1000)
    return {"cats/0004.png"}


def add_seven(folder):
    return {
        str(write_image(folder / f"dogs/new{n}.png", seed=2000 + n).relative_to(folder))
        for n in range(7)
    }


def rename(folder):
    (folder / "cats/0004.png").rename(folder / "cats/other name.png")
    return set()


def move(folder):
    (folder / "cats/below").mkdir()
    (folder / "cats/0004.png").rename(folder / "cats/below/0004.png")
    return set()


def relabel(folder):
    (folder / "cats/0004.png").rename(folder / "dogs/0004.png")
    return set()


def rename_class(folder):
    (folder / "cats").rename(folder / "kittens")
    return set()


def copy_one(folder):
    shutil.copy(folder / "cats/0004.png", folder / "cats/copy.png")
    return set()


def remove(folder):
    (folder / "cats/0004.png").unlink()
    return set()


def touch(folder):
    for path in folder.rglob("*.png"):
        os.utime(path)
    return set()


# What is changed in the folder (and which images are new by it), and how it is extracted then.
CHANGES = {
    "nothing": (nothing, {}),
    "edit one": (edit_one, {}),
    "add seven": (add_seven, {}),
    "rename": (rename, {}),
    "move": (move, {}),
    "relabel": (relabel, {}),
    "rename a class": (rename_class, {}),
    "a duplicate": (copy_one, {}),
    "remove": (remove, {}),
    "touch": (touch, {}),
    "batch size": (nothing, {"batch_size": 3}),
    "shard size": (nothing, {"shard_size": 7}),
    "other weights": (everything, {"seed": 1}),
    "other pooling": (everything, {"pooling": "max"}),
    "other dtype": (everything, {"dtype": "float16"}),
    "crop": (everything, {"aspect_ratio": "crop"}),
    "pad": (everything, {"aspect_ratio": "pad"}),
}


@pytest.mark.parametrize("batch_size", [5, 8])
@pytest.mark.parametrize("change", CHANGES)
def test_the_backbone_sees_exactly_what_is_new(tiny, folder, store, tmp_path, change, batch_size):
    first = extract(folder, store, batch_size=batch_size)
    assert tiny.read_diary() == Counter(rows_of_keras(tiny, folder).values())

    act, options = CHANGES[change]
    new, options = act(folder), {"batch_size": batch_size, **options}
    second = extract(folder, store, **options)
    mode = {f"{options.get('aspect_ratio')}_to_aspect_ratio": True}
    known = rows_of_keras(tiny, folder, **(mode if "aspect_ratio" in options else {}))
    assert tiny.read_diary() == Counter(known[path] for path in new)
    assert (first.computed, second.computed) == (20, len(new))

    fresh = extract(folder, tmp_path / "fresh", **options)
    assert_same(fresh.features(tmp_path / "fresh"), second.features(store))


@pytest.mark.parametrize("batch_size", [5, 8])
def test_other_weights_are_seen_in_the_features(tiny, folder, store, batch_size):
    one, other = (extract(folder, store, batch_size=batch_size, seed=seed) for seed in (0, 1))
    with pytest.raises(AssertionError):
        assert_same(one.features(store), other.features(store))


@pytest.mark.parametrize("batch_size", [5, 8])
def test_a_second_tap_is_computed_for_itself_only(tiny, folder, store, tmp_path, batch_size):
    first = extract(folder, store, batch_size=batch_size)
    output = FeatureStore(store, first.job.recipes[0]).folder
    before = snapshot(output)
    tiny.read_diary()
    both = extract(folder, store, batch_size=batch_size, taps=("output", "first"))
    assert tiny.read_diary() == Counter(rows_of_keras(tiny, folder).values())
    assert snapshot(output) == before
    fresh = extract(folder, tmp_path / "fresh", taps=("output", "first"))
    for number in (0, 1):
        assert_same(fresh.features(tmp_path / "fresh", number), both.features(store, number))


def test_images_that_lack_one_of_two_taps_are_seen_once(tiny, folder, store):
    extract(folder, store, taps=("output",))
    new = add_seven(folder)
    tiny.read_diary()
    both = extract(folder, store, taps=("first", "output"))
    known = rows_of_keras(tiny, folder)
    assert tiny.read_diary() == Counter(known.values())
    assert both.computed == 20 + len(new)
    assert extract(folder, store, taps=("first", "output")).computed == 0


def test_a_duplicate_is_seen_once(tiny, folder, store):
    copy_one(folder)
    done = extract(folder, store)
    assert tiny.read_diary() == Counter(set(rows_of_keras(tiny, folder).values()))
    assert done.computed == 20


def test_a_crop_does_not_forget_the_rest(tiny, folder, store):
    for aspect_ratio in ("stretch", "crop", "pad"):
        extract(folder, store, aspect_ratio=aspect_ratio)
    tiny.read_diary()
    kept = [
        extract(folder, store, aspect_ratio=a).features(store) for a in ("stretch", "crop", "pad")
    ]
    assert not tiny.read_diary()
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not np.allclose(kept[one], kept[other], rtol=0.01)


def test_the_same_images_in_another_data_set_are_not_seen_again(tiny, folder, store, tmp_path):
    extract(folder, store)
    tiny.read_diary()
    other = extract(shutil.copytree(folder, tmp_path / "others"), store)
    assert not tiny.read_diary()
    assert len(other.features(store)) == 20


def test_a_deleted_shard_is_computed_again(tiny, folder, store, tmp_path):
    first = extract(folder, store, shard_size=7)
    kept = first.features(store)
    next(FeatureStore(store, first.job.recipes[0]).folder.glob("shards/*.h5")).unlink()
    tiny.read_diary()
    again = extract(folder, store)
    assert sum(tiny.read_diary().values()) == again.computed
    assert again.computed in {6, 7}
    assert_same(kept, again.features(store))


@pytest.mark.parametrize("shard_size", [1, 7, 20, 100])
def test_shards_have_at_most_so_many_rows(tiny, folder, store, shard_size):
    done = extract(folder, store, shard_size=shard_size)
    shards = FeatureStore(store, done.job.recipes[0]).stats()["shards"]
    assert shards == -(-20 // shard_size)


def test_shards_have_at_most_so_many_bytes(tiny, folder, store, monkeypatch):
    manifest = ingest(folder, store=store).manifest
    taps = replace(REQUEST, taps=("output", "first"), pooling="none")
    (missing,) = find_missing(manifest, make_job(taps, store=store), store=store)
    row = 2 * 8 * 8 * 8 * 4
    for limit, sizes in ((row * 8 + 1, [8, 8, 4]), (row - 1, [1] * 20)):
        monkeypatch.setattr(extract_module, "SHARD_BYTES", limit)
        shards = plan_shards(missing, manifest)
        assert [len(shard.images) for shard in shards] == sizes


def test_finding_what_is_missing_writes_nothing(tiny, folder, store):
    manifest = ingest(folder, store=store).manifest
    before = snapshot(store)
    (missing,) = find_missing(manifest, make_job(REQUEST, store=store), store=store)
    assert len(missing.images) == 20
    assert snapshot(store) == before


# Files that are not what they were when they were ingested.


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
    (old,) = [e.key for e in manifest.entries if e.path == "cats/0004.png"]
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
    assert [e.path for e in Manifest.read(store, "pets").of_status("rejected")] == ["cats/0004.png"]


def test_a_folder_that_becomes_a_file_costs_its_images_only(tiny, folder, store):
    (folder / "cats/below").mkdir()
    write_image(folder / "cats/below/one.png", seed=3000)
    manifest = ingest(folder, store=store).manifest
    shutil.rmtree(folder / "cats/below")
    (folder / "cats/below").write_text("a file")
    done = extract_from(manifest, store)
    assert [r.path for r in done.rejected] == ["cats/below/one.png"]
    assert done.computed == 20


def test_the_next_ingest_reads_a_changed_file_again(tiny, folder, store, tmp_path):
    manifest = ingest(folder, store=store).manifest
    overwrite(folder / "cats/0004.png")
    extract_from(manifest, store)
    again = ingest(folder, store=store)
    assert again.read >= 1
    assert {e.status for e in again.manifest.entries if e.path == "cats/0004.png"} == {
        "accepted",
        "absent",
    }
    done = extract_from(again.manifest, store)
    assert done.computed == 1
    assert_same(
        extract(folder, tmp_path / "fresh").features(tmp_path / "fresh"), done.features(store)
    )


def test_a_file_that_cannot_be_decoded_costs_itself_only(tiny, folder, store, monkeypatch):
    from tasks import pixels

    bad = (folder / "cats/0004.png").read_bytes()
    load = pixels.load_pixels

    def picky(content, recipe):
        return load(b"\x89PNG" if content == bad else content, recipe)

    monkeypatch.setattr(pixels, "load_pixels", picky)
    done = extract(folder, store)
    ((path, reason, changed),) = [(r.path, r.reason, r.changed) for r in done.rejected]
    assert (path, changed, done.computed) == ("cats/0004.png", False, 19)
    assert reason.startswith("cannot be decoded")
    assert ingest(folder, store=store).manifest.of_status("rejected")[0].reason == reason


def test_a_duplicate_of_a_changed_file_is_used(tiny, folder, store):
    shutil.copy(folder / "cats/0004.png", folder / "cats/9999.png")
    manifest = ingest(folder, store=store).manifest
    overwrite(folder / "cats/0004.png")
    done = extract_from(manifest, store)
    assert [r.path for r in done.rejected] == ["cats/0004.png"]
    assert done.computed == len(done.features(store)) == 20


def test_a_changed_image_keeps_its_split_when_it_comes_back(tiny, folder, store):
    manifest = ingest(folder, store=store).manifest
    held_out = next(e for e in manifest.entries if e.split == "test")
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
    assert {e.split for e in again.entries if e.key == held_out.key} == {"test"}


def test_rejections_do_not_touch_what_was_ingested_meanwhile(tiny, folder, store):
    manifest = ingest(folder, store=store).manifest
    overwrite(folder / "cats/0004.png")
    (work,) = plan_shards(
        find_missing(manifest, make_job(REQUEST, store=store), store=store)[0], manifest
    )
    rejected = extract_shard(work, store=store).rejected
    newer = ingest(folder, store=store).manifest
    assert record_rejections(manifest, rejected, store=store).select().paths == (
        newer.select().paths
    )


# Engines that fail.


def with_engine(monkeypatch, job, change):
    """Have the job's engine give what `change` makes of its rows."""
    engine = load_engine(job)
    compute = engine.compute
    monkeypatch.setattr(engine, "compute", lambda pixels: [change(r) for r in compute(pixels)])


def spoil_row(rows, *, number, value):
    rows = np.array(rows)
    rows[number, ..., 0] = value
    return rows


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_engine_that_gives_no_number_stores_nothing(tiny, folder, store, monkeypatch, value):
    job = make_job(REQUEST, store=store)
    with_engine(monkeypatch, job, partial(spoil_row, number=1, value=value))
    manifest = ingest(folder, store=store).manifest
    message = rf"{job.recipes[0].fingerprint[:16]}.*1 of 8 images.*'cats/0002\.png'"
    with pytest.raises(ExtractionError, match=message) as caught:
        extract_from(manifest, store, batch_size=8)
    assert "\n" not in str(caught.value)
    assert not list(store.rglob("*.h5"))


def test_features_too_large_for_float16_say_the_way_out(tiny, folder, store, monkeypatch):
    job = make_job(replace(REQUEST, dtype="float16"), store=store)
    with_engine(monkeypatch, job, partial(spoil_row, number=1, value=1e5))
    with pytest.raises(ExtractionError, match=r"more than float16 .*'cats/0002.*--dtype float32"):
        extract(folder, store, dtype="float16")
    assert not list(store.rglob("*.h5"))


def test_an_engine_that_fails_midway_keeps_the_finished_shards(tiny, folder, store, monkeypatch):
    job = make_job(REQUEST, store=store)
    turns = iter([False, False, True])
    with monkeypatch.context() as patched:
        with_engine(
            patched, job, lambda rows: spoil_row(rows, number=0, value=np.nan if next(turns) else 1)
        )
        with pytest.raises(ExtractionError):
            extract(folder, store, batch_size=5, shard_size=5)
    tiny.read_diary()
    assert extract(folder, store).computed == 10
    assert sum(tiny.read_diary().values()) == 10
