"""Ingest and extraction as one come to what they come to one after the other."""

import os
import shutil
from functools import partial
from itertools import count

import pytest

from flows.extract import begin_stage, extract_stage
from flows.ingest import ingest_stage
from flows.parameters.features import ExtractParameters
from flows.parameters.heads import PipelineParameters
from flows.stages import read_and_compute
from flows.stages.read_and_compute import ingest_and_compute_stage
from flows.train import check_heads
from stores import DisagreeingProducers, FeatureStore, Manifest
from tasks.datasets import ingest, seen_folder
from tasks.datasets.split_file import split_csv
from tasks.errors import InputError
from tasks.execution.steps import without_prefect
from tasks.features import shard_work
from tasks.images import pixel_batches
from tests.support.images import (
    every_kind,
    grow_old,
    pixels,
    refused_images,
    rotated,
    small_png,
    write,
    write_classes,
)

SMALL = {"backbone": "lenet5", "weights": "none", "image_size": 32, "tap": ["c1"], "shard_size": 4}


@pytest.fixture
def folder(tmp_path):
    """Ten images and a copy of one, a damaged file, and one that is no image."""
    folder = tmp_path / "pets"
    write(folder / "cat/copy.png", small_png(3))
    write(folder / "cat/cut.jpg", every_kind()["rgb.jpg"][:-200])
    write(folder / "dog/notes.txt", b"a note")
    return write_classes(folder)


@pytest.fixture
def asked(tmp_path):
    """Return a function that gives parameters for a store of some name."""
    return lambda store="store", **more: PipelineParameters(store=tmp_path / store, **SMALL | more)


@pytest.fixture(autouse=True)
def plainly():
    with without_prefect():
        yield


def at_once(folder, parameters, check=lambda _: None):
    manifest, ingested, begun = ingest_and_compute_stage(folder, parameters, check=check)
    manifest, extracted = extract_stage(manifest, parameters, begun)
    return manifest, ingested, extracted


def in_turn(folder, parameters):
    manifest, ingested = ingest_stage(folder, parameters)
    manifest, extracted = extract_stage(manifest, parameters)
    return manifest, ingested, extracted


def facts(extracted):
    """Return what an extraction came to, without times."""
    varying = {"seconds", "images_per_second", "agreement", "engine", "checked"}
    return {name: value for name, value in vars(extracted).items() if name not in varying}


@pytest.fixture
def in_old_order(monkeypatch):
    """Fail the test where files are computed before they are ingested."""
    monkeypatch.setattr(read_and_compute, "compute_new", lambda *_, **__: pytest.fail("computed"))


def test_both_ways_come_to_the_same(folder, asked):
    one, other = asked("one"), asked("other")
    first, ingested, extracted = at_once(folder, one)
    second, expected, as_expected = in_turn(folder, other)
    assert first.rows.equals(second.rows)
    assert (first.digest, ingested) == (second.digest, expected)
    assert facts(extracted) == facts(as_expected)
    assert (extracted.images, extracted.computed, extracted.duplicates) == (11, 10, 1)
    keys = first.select().keys
    stores = [FeatureStore.open(p.store).read(keys) for p in (one, other)]
    assert (stores[0] == stores[1]).all()


def test_files_of_all_kinds_have_the_same_rows(folder, asked):
    for name, content in (every_kind() | refused_images()).items():
        write(folder / "cat" / name, content)
        write(folder / "dog/cut" / name, content[:-60])
        write(folder / "dog/.hidden" / name, content)
    for number in range(1, 9):
        write(folder / f"dog/turned{number}.jpg", rotated(pixels(number), number, "JPEG"))
    write(folder / "cat/empty.jpg", b"")
    os.mkfifo(folder / "cat/pipe.jpg")
    (folder / "cat/nowhere.jpg").symlink_to("gone")
    grow_old()
    for orientation in ("upright", "stored"):
        one, other = (asked(f"{name} {orientation}", orientation=orientation) for name in "ab")
        first, ingested, extracted = at_once(folder, one)
        second, expected, as_expected = in_turn(folder, other)
        assert first.rows.equals(second.rows)
        assert (first.digest, ingested) == (second.digest, expected)
        assert facts(extracted) == facts(as_expected)


def test_each_new_file_is_read_once_and_a_second_run_reads_and_lists_once(
    folder, asked, monkeypatch
):
    monkeypatch.setattr(ingest, "examine", lambda *_: pytest.fail("read again"))
    monkeypatch.setattr(pixel_batches, "_read", lambda *_: pytest.fail("read again"))
    at_once(folder, asked())
    listed = []
    see = seen_folder.list_labelled
    monkeypatch.setattr(seen_folder, "list_labelled", lambda *a: listed.append(a) or see(*a))
    _, ingested, extracted = at_once(folder, asked())
    assert (ingested.read, extracted.computed, extracted.cached) == (0, 0, 10)
    assert len(listed) == 1


def test_added_and_changed_files_are_computed_and_counted_once(folder, asked):
    at_once(folder, asked())
    write(folder / "cat/000.png", small_png(100))
    write(folder / "dog/new.png", small_png(101))
    shutil.copy(folder / "dog/005.png", folder / "dog/again.png")
    grow_old()
    manifest, ingested, extracted = at_once(folder, asked())
    assert (ingested.read, extracted.computed, extracted.duplicates) == (3, 2, 2)
    assert extracted.cached == extracted.images - extracted.duplicates - 2
    assert not FeatureStore.open(asked().store).missing(manifest.select().keys).any()


def test_several_taps_are_computed_for_what_lacks_them(folder, asked):
    at_once(folder, asked())
    write(folder / "dog/new.png", small_png(101))
    grow_old()
    both = ExtractParameters(store=asked().store, **SMALL | {"tap": ["c1", "output"]})
    manifest, _, extracted = at_once(folder, both)
    assert extracted.computed == 11
    for recipe in extracted.recipes:
        features = FeatureStore(both.store, recipe.recipe)
        assert not features.missing(manifest.select().keys).any()


def test_after_a_crash_only_the_rest_is_computed(folder, asked, monkeypatch):
    begun, write_shard = count(), FeatureStore.write  # shards are written at the same time

    def dying(self, *arguments, **options):
        if next(begun) == 2:
            raise InputError("the power is cut")
        return write_shard(self, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(FeatureStore, "write", dying)
        with pytest.raises(InputError, match="power"):
            at_once(folder, asked())
    kept = len(FeatureStore.open(asked().store).keys())
    manifest, ingested, extracted = at_once(folder, asked())
    assert kept
    assert ingested.read == 12
    assert (extracted.computed, extracted.cached) == (10 - kept, kept)
    assert manifest.rows.equals(in_turn(folder, asked("other"))[0].rows)


def test_a_mistake_is_told_before_anything_is_computed(folder, asked, in_old_order):
    (folder / "bird").mkdir()
    write(folder / "bird/notes.txt", b"no image")
    with pytest.raises(InputError, match="no usable image in class 'bird'"):
        at_once(folder, asked())


def test_heads_that_cannot_be_are_told_of_before_anything_is_computed(folder, asked, in_old_order):
    parameters = asked(validation_split=0.0)
    check = partial(check_heads, parameters=parameters)
    manifest, ingested, _ = ingest_and_compute_stage(folder, parameters, check=check)
    assert ingested.read == 12
    with pytest.raises(InputError, match="no validation image"):
        check(manifest)


def test_what_only_seems_a_mistake_is_none(folder, asked, in_old_order, tmp_path):
    names = sorted(str(path.relative_to(folder)) for path in folder.glob("*/*.png"))
    rows = "".join(f"{name},{'test' if 'dog' in name else 'train'}\n" for name in names)
    parameters = asked(split_file=write(tmp_path / "split.csv", f"path,split\n{rows}".encode()))
    manifest, _, _ = ingest_and_compute_stage(folder, parameters)  # of cut.jpg there is no row
    assert len(manifest.select().keys) == 10


def test_a_split_file_by_keys_is_looked_up_by_the_bytes(folder, asked, tmp_path, monkeypatch):
    (folder / "cat/cut.jpg").unlink()
    first, _, _ = at_once(folder, asked())
    file = write(tmp_path / "split.csv", split_csv(first))
    parameters = asked("other", split_file=file, seed=7)
    monkeypatch.setattr(ingest, "examine", lambda *_: pytest.fail("examined first"))
    manifest, _, extracted = at_once(folder, parameters)
    assert (manifest.digest, extracted.computed) == (first.digest, 10)


def test_an_excluded_image_is_not_computed(folder, asked, tmp_path):
    table = write(tmp_path / "c.csv", b"path,label\ndog/005.png,exclude\n")
    _, _, extracted = at_once(folder, asked(corrections=table))
    assert extracted.computed == len(FeatureStore.open(asked().store).keys()) == 9


def test_copies_under_two_labels_are_left_out_and_not_counted(folder, asked):
    shutil.copy(folder / "cat/001.png", folder / "dog/cat.png")
    grow_old()
    _, _, extracted = at_once(folder, asked())
    _, _, expected = in_turn(folder, asked("other"))
    assert facts(extracted) == facts(expected)
    assert (extracted.computed, extracted.cached) == (9, 0)


def test_features_of_other_versions_are_compared_before_any_are_added(folder, asked, monkeypatch):
    """The kind: features of two versions in one data set, that nobody compared."""
    parameters = asked(engine="keras")
    manifest, _, extracted = in_turn(folder, parameters)
    store, recipe = parameters.store, extracted.recipes[0].recipe
    keys = manifest.select().keys[:3]
    rows = FeatureStore(store, recipe).read(keys)
    for name, change in (("alike", 1.0), ("unlike", 1.5)):
        other = asked(name, engine="keras")
        FeatureStore(other.store, recipe).write(keys, rows * change, producer={"engine": "old"})
        if name == "unlike":
            with pytest.raises(DisagreeingProducers):
                at_once(folder, other)
            assert len(FeatureStore(other.store, recipe).keys()) == 3
        else:
            _, _, found = at_once(folder, other)
            assert (found.checked, found.computed, found.cached) == (3, 7, 3)


def test_the_name_of_a_data_set_begins_nothing(folder, asked):
    at_once(folder, asked())
    manifest, begun = begin_stage("pets", asked())
    assert manifest == Manifest.read(asked().store, "pets")
    assert begun.shards == ()


def test_the_bar_counts_each_file(folder, asked, monkeypatch):
    told, done = [], []
    monkeypatch.setattr("flows.stages.compute.announce", told.append)
    monkeypatch.setattr(shard_work, "advance", done.append)
    at_once(folder, asked())
    assert told == [12] == [sum(done)]
