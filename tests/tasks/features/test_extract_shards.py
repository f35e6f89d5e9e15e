"""Shards have their size, and are kept where a later one fails; a bad one is never stored."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from stores import FeatureStore
from tasks.datasets.ingest import ingest
from tasks.errors import ExtractionError
from tasks.features import extract as extract_module
from tasks.features.engines import load_engine
from tasks.features.extract import find_missing, plan_shards
from tasks.features.job import make_job
from tests.support.extraction import REQUEST, assert_same, extract, extract_from, write_old_folder


@pytest.fixture
def folder(tmp_path):
    return write_old_folder(tmp_path / "pets")


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
    shards = FeatureStore(store, done.job.recipes[0]).stats().shards
    assert shards == -(-20 // shard_size)


def test_shards_have_at_most_so_many_bytes(tiny, folder, store, monkeypatch):
    manifest = ingest(folder, store=store).manifest
    taps = replace(REQUEST, taps=("output", "first"), pooling="none")
    (missing,) = find_missing(manifest, make_job(taps, store=store, engine="keras"), store=store)
    row = 2 * 8 * 8 * 8 * 4
    for limit, sizes in ((row * 8 + 1, [8, 8, 4]), (row - 1, [1] * 20)):
        monkeypatch.setattr(extract_module, "SHARD_BYTES", limit)
        shards = plan_shards(missing, manifest)
        assert [len(shard.images) for shard in shards] == sizes


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
    job = make_job(REQUEST, store=store, engine="keras")
    with_engine(monkeypatch, job, partial(spoil_row, number=1, value=value))
    manifest = ingest(folder, store=store).manifest
    message = rf"{job.recipes[0].fingerprint[:16]}.*1 of 8 images.*'cats/0002\.png'"
    with pytest.raises(ExtractionError, match=message) as caught:
        extract_from(manifest, store, batch_size=8)
    assert "\n" not in str(caught.value)
    assert not list(store.rglob("*.h5"))


def test_features_too_large_for_float16_say_the_fix(tiny, folder, store, monkeypatch):
    job = make_job(replace(REQUEST, dtype="float16"), store=store, engine="keras")
    with_engine(monkeypatch, job, partial(spoil_row, number=1, value=1e5))
    with pytest.raises(ExtractionError, match=r"large for float16 .*cats/0002.*--dtype float32"):
        extract(folder, store, dtype="float16")
    assert not list(store.rglob("*.h5"))


def test_an_engine_that_fails_midway_keeps_the_finished_shards(tiny, folder, store, monkeypatch):
    job = make_job(REQUEST, store=store, engine="keras")
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
