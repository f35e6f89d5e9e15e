"""Features that other versions made are mixed with ours only where they are the same."""

import logging
from dataclasses import replace

import numpy as np
import pytest

from stores import DisagreeingProducers, FeatureStore, MissingFeatures
from tasks.datasets.ingest import ingest
from tasks.features import decoders
from tasks.features.agreement import COMPARED_ROWS
from tasks.features.engines import load_engine
from tasks.features.job import make_job
from tasks.features.version_check import check_producers
from tests.support.extraction import REQUEST, extract, write_folder, write_image
from tests.support.images import encoded, pixels, write
from tests.support.samples import flip_row, snapshot

OLD = {"engine": "keras", "instruction_set": "abacus", "versions": {"keras": "2"}}


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "pets", count=20)


def job_of(store, **asked):
    return make_job(replace(REQUEST, **asked), store=store, engine="keras")


def extract_as(monkeypatch, producer, folder, store, **asked):
    """Extract as if another producer did."""
    with monkeypatch.context() as patched:
        patched.setattr(load_engine(job_of(store, **asked)), "producer", producer)
        return extract(folder, store, **asked)


def store_again(done, store, change=lambda rows: rows, producer=OLD):
    """Put the features of an extraction into another store, changed, as of another producer."""
    target = store.with_name("other")
    keys = done.manifest.select().keys
    for recipe in done.job.recipes:
        rows = FeatureStore(store, recipe).read(keys)
        FeatureStore(target, recipe).write(keys, change(rows), producer=producer)
    return target


def add_one(folder):
    write_image(folder / "cats/new.png", seed=500)


def test_our_own_features_are_not_checked(tiny, folder, store):
    extract(folder, store)
    add_one(folder)
    tiny.read_diary()
    done = extract(folder, store)
    assert (done.checked, done.computed) == (0, 1)
    assert sum(tiny.read_diary().values()) == 1


@pytest.mark.parametrize("count", [20, 5])
def test_features_of_others_are_checked_and_counted_apart(
    tiny, tmp_path, store, monkeypatch, count
):
    folder = write_folder(tmp_path / "pets", count=count)
    extract_as(monkeypatch, OLD, folder, store)
    add_one(folder)
    tiny.read_diary()
    done = extract(folder, store)
    assert (done.checked, done.computed) == (min(count, COMPARED_ROWS), 1)
    assert sum(tiny.read_diary().values()) == done.checked + 1
    assert len(FeatureStore(store, done.job.recipes[0]).producers()) == 2


def test_it_is_checked_once_only(tiny, folder, store, monkeypatch):
    extract_as(monkeypatch, OLD, folder, store)
    add_one(folder)
    assert extract(folder, store).checked == COMPARED_ROWS
    write_image(folder / "cats/newer.png", seed=501)
    assert extract(folder, store).checked == 0


@pytest.mark.parametrize("where", ["engine", "instruction_set", "versions"])
def test_any_other_producer_is_checked(tiny, folder, store, monkeypatch, where):
    own = load_engine(job_of(store)).producer
    extract_as(monkeypatch, own | {where: OLD[where] if where != "engine" else "b"}, folder, store)
    add_one(folder)
    assert extract(folder, store).checked == COMPARED_ROWS


def test_another_pillow_is_checked_by_the_images_that_it_decoded(tiny, folder, store, monkeypatch):
    for number in range(3):
        write(folder / f"cats/{number}.tif", encoded(pixels(number), "TIFF"))
    with monkeypatch.context() as patched:
        patched.setattr(decoders, "version", lambda _: "1")
        done = extract(folder, store)
    (producer,) = FeatureStore(store, done.job.recipes[0]).producers()
    assert producer["decoders"] == {"pillow": "1"}
    add_one(folder)
    assert extract(folder, store).checked == 3
    write(folder / "cats/more.tif", encoded(pixels(9), "TIFF"))
    assert extract(folder, store).checked == 3
    write(folder / "cats/newer.tif", encoded(pixels(10), "TIFF"))
    assert extract(folder, store).checked == 0  # our Pillow has decoded one


def test_with_nothing_to_compute_nothing_is_checked(tiny, folder, store, monkeypatch):
    extract_as(monkeypatch, OLD, folder, store)
    tiny.read_diary()
    assert extract(folder, store).checked == 0
    assert not tiny.read_diary()


def permuted(rows):
    return np.roll(rows, 1, axis=0)


def one_of_all_a_little_off(rows):
    rows = rows.copy()
    rows[3, 0] += 5e-5 * np.abs(rows).max()
    return rows


@pytest.mark.parametrize("change", [permuted, one_of_all_a_little_off, np.negative])
def test_disagreeing_features_are_never_mixed(tiny, folder, store, change):
    other = store_again(extract(folder, store), store, change)
    add_one(folder)
    manifest = ingest(folder, store=other).manifest
    before = snapshot(other)
    with pytest.raises(DisagreeingProducers) as caught:
        check_producers(job_of(store), manifest, store=other)
    assert snapshot(other) == before
    message = str(caught.value)
    for part in ("on 16 images", "expected at most 2e-05", "abacus", "another --store"):
        assert part in message
    assert "\n" not in message
    with pytest.raises(DisagreeingProducers):
        extract(folder, other)
    assert snapshot(other / "features") == {
        path.removeprefix("features/"): seen
        for path, seen in before.items()
        if path.startswith("features/")
    }


def test_last_bits_may_differ(tiny, folder, store):
    other = store_again(extract(folder, store), store, lambda rows: rows * (1 + 5e-6))
    add_one(folder)
    assert extract(folder, other).checked == COMPARED_ROWS


def test_float16_is_compared_as_such(tiny, folder, store):
    done = extract(folder, store, dtype="float16")
    nudged = store_again(done, store, lambda rows: np.nextafter(rows, np.float16(0)))
    add_one(folder)
    assert extract(folder, nudged, dtype="float16").checked == COMPARED_ROWS


def test_each_tap_is_checked(tiny, folder, store):
    taps = ("output", "first")
    done = extract(folder, store, taps=taps)
    other = store_again(done, store)
    first = FeatureStore(other, done.job.recipes[1])
    (shard,) = first.folder.glob("shards/*.h5")
    rows = first.read(keys := done.manifest.select().keys)
    shard.unlink()
    FeatureStore(other, done.job.recipes[1]).write(keys, permuted(rows), producer=OLD)
    add_one(folder)
    with pytest.raises(DisagreeingProducers, match="tap first"):
        extract(folder, other, taps=taps)


def test_each_data_set_is_checked_by_its_own_rows(tiny, tmp_path, store, monkeypatch):
    extract_as(monkeypatch, OLD, write_folder(tmp_path / "pets"), store)
    for number in range(4):
        write_image(tmp_path / "others" / "ab"[number % 2] / f"{number}.png", seed=700 + number)
    done = extract(tmp_path / "others", store)
    assert (done.checked, done.computed) == (0, 4)
    add_one(tmp_path / "pets")
    assert extract(tmp_path / "pets", store).checked == COMPARED_ROWS


def test_where_none_of_their_images_can_be_read_a_warning_is_given(
    tiny, folder, store, monkeypatch, caplog
):
    extract_as(monkeypatch, OLD, folder, store)
    manifest = ingest(folder, store=store).manifest
    for path in manifest.select().paths.to_pylist():
        (folder / path).unlink()
    with caplog.at_level(logging.WARNING, "gargalo.extract"):
        assert check_producers(job_of(store), manifest, store=store) == 0
    assert "none of their images can be read" in caplog.text


def test_images_that_have_changed_are_passed_over(tiny, folder, store, monkeypatch):
    extract_as(monkeypatch, OLD, folder, store)
    add_one(folder)
    manifest = ingest(folder, store=store).manifest
    paths = manifest.select().paths.to_pylist()
    for path in [p for p in paths if p != "cats/new.png"][:COMPARED_ROWS]:
        (folder / path).unlink()
    assert check_producers(job_of(store), manifest, store=store) == 20 - COMPARED_ROWS


def test_a_damaged_stored_row_is_no_disagreement(tiny, folder, store, monkeypatch):
    done = extract_as(monkeypatch, OLD, folder, store)
    flip_row(FeatureStore(store, done.job.recipes[0]), 2)
    add_one(folder)
    manifest = ingest(folder, store=store).manifest
    assert check_producers(job_of(store), manifest, store=store) == COMPARED_ROWS
    with pytest.raises(MissingFeatures):
        done.features(store)
    assert extract(folder, store).computed == 2
