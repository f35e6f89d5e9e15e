import errno
import hashlib

import h5py
import numpy as np
import pytest

from stores import CorruptStore, FeatureStore, MissingFeatures, NewerFormat, UnfitFeatures
from stores.features.shard import SHARD_VERSION
from tests.support.samples import (
    FLOAT16,
    RECIPE,
    a_store,
    fragments,
    quarantined,
    shards,
    snapshot,
    some_keys,
    some_rows,
)


@pytest.mark.parametrize(
    "rows",
    [
        some_rows(5),
        some_rows(6, (7,)),
        some_rows(6, (8, 1)),
        np.full((6, 8), np.nan, np.float32),
        np.full((6, 8), np.inf, np.float32),
    ],
)
@pytest.mark.parametrize("fresh", [True, False])
def test_unfit_rows_leave_no_trace(tmp_path, rows, fresh):
    store, _, _ = a_store(tmp_path)
    before = snapshot(tmp_path)
    store = FeatureStore(tmp_path, RECIPE) if fresh else store
    with pytest.raises(UnfitFeatures):
        store.write(some_keys(6, seed=1), rows)
    assert snapshot(tmp_path) == before


def test_rows_too_large_for_float16_leave_no_trace(tmp_path):
    store = FeatureStore(tmp_path / "store", FLOAT16)
    with pytest.raises(UnfitFeatures, match="65504"):
        store.write(some_keys(2), np.full((2, 3), 1e5))
    with pytest.raises(UnfitFeatures, match="at least 1"):
        store.write([], np.zeros((0, 3)))
    assert not list(tmp_path.iterdir())


def craft_newer(store):
    """Put a whole shard of a newer format in a store, without a fragment."""
    path = store.folder / "shards" / "draft"
    path.write_bytes(shards(store)[0].read_bytes())
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = SHARD_VERSION + 1
    return path.rename(path.with_name(f"{hashlib.sha256(path.read_bytes()).hexdigest()}.h5"))


@pytest.mark.parametrize(
    "verb",
    [
        lambda store, keys: store.read(keys),
        lambda store, keys: store.missing(keys),
        lambda store, keys: next(store.batches(keys, batch_size=1)),
        lambda store, _: store.verify(),
        lambda store, _: store.stats(),
        lambda store, _: store.reindex(),
        lambda store, _: store.collect_garbage(grace_seconds=-1, delete=True),
    ],
)
def test_a_newer_shard_is_refused_and_left_alone(tmp_path, verb):
    store, keys, _ = a_store(tmp_path)
    path = craft_newer(store)
    content = path.read_bytes()
    with pytest.raises(NewerFormat, match="update gargalo"):
        verb(FeatureStore(tmp_path, RECIPE), keys)
    assert path.read_bytes() == content
    assert not quarantined(store)
    assert len(fragments(store)) == 1


@pytest.fixture
def no_more_files(monkeypatch):
    """Let HDF5 find that the process has too many files open."""

    def refuse(*_, **__):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(h5py, "File", refuse)


def test_verify_blames_no_shard_for_the_systems_trouble(tmp_path, request):
    store, _, _ = a_store(tmp_path)
    request.getfixturevalue("no_more_files")
    (finding,) = store.verify()
    assert "could not be read: [Errno 24]" in finding
    assert not quarantined(store)


def test_nor_does_the_index(tmp_path, request):
    store, keys, _ = a_store(tmp_path)
    fragments(store)[0].unlink()
    request.getfixturevalue("no_more_files")
    with pytest.raises(OSError, match="Too many open files"):
        FeatureStore(tmp_path, RECIPE).missing(keys)
    assert len(shards(store)) == 1


def test_a_store_below_a_file_is_no_store(tmp_path):
    (tmp_path / "file").write_text("")
    store = FeatureStore(tmp_path / "file", RECIPE)
    assert store.missing([bytes(32)]).all()
    with pytest.raises(OSError, match="file"):
        store.write(some_keys(1), some_rows(1))


def test_errors_are_also_the_builtins_they_resemble(tmp_path):
    with pytest.raises(KeyError, match="features are not stored"):
        FeatureStore(tmp_path, RECIPE).read([bytes(32)])
    (tmp_path / "features" / RECIPE.fingerprint[:16]).mkdir(parents=True)
    (tmp_path / "features" / RECIPE.fingerprint[:16] / "recipe.json").touch()
    with pytest.raises(ValueError, match="delete it") as caught:
        FeatureStore(tmp_path, RECIPE)
    assert isinstance(caught.value, CorruptStore)
    assert not str(MissingFeatures("no quotes")).startswith("'")


def test_a_shard_that_is_read_wrong_whatever_is_done_is_an_error_not_a_loop(tmp_path, monkeypatch):
    store, keys, _ = a_store(tmp_path, 3)
    monkeypatch.setattr(
        "stores.features.checked_read.find_damage",
        lambda *_: (shards(store)[0].stem, "row 0 is wrong"),
    )
    with pytest.raises(CorruptStore, match="check this machine's disk and memory"):
        store.read(keys)
