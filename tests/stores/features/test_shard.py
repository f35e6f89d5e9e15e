import hashlib
import io
import json
import shutil
import time
from dataclasses import replace

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stores import CorruptStore, FeatureStore, NewerFormat, UnfitFeatures
from stores.features.shard import SHARD_VERSION, fit, pack, unpack
from tests.support.places import ROOT
from tests.support.samples import (
    FLOAT16,
    RECIPE,
    few,
    flip_row,
    quarantined,
    some_keys,
    some_rows,
)

ARCHIVED = ROOT / "tests/stores/archived/format-1"

_shapes = st.lists(st.integers(1, 5), max_size=3).map(tuple)
_stored = st.sampled_from(["<f4", "<f2"]).flatmap(
    lambda dtype: st.tuples(st.integers(1, 6), _shapes).flatmap(
        lambda size: hnp.arrays(
            dtype,
            (size[0], *size[1]),
            elements={"allow_nan": False, "allow_infinity": False},
        )
    )
)


def packed(rows, recipe=RECIPE, views=None, seed=0):
    keys = some_keys(len(rows), seed)
    views = np.zeros(len(rows), np.uint16) if views is None else views
    shard, content = pack(recipe, keys, views, rows, {"engine": "keras"})
    return shard, bytes(content), keys


def saved(folder, content):
    path = folder / f"{hashlib.sha256(content).hexdigest()}.h5"
    path.write_bytes(content)
    return path


def crafted(folder, **attributes):
    """Return a shard with other attributes and the right name, and its path."""
    _, content, _ = packed(some_rows(2))
    buffer = io.BytesIO(content)
    with h5py.File(buffer, "r+") as file:
        file.attrs.update(attributes)
    return saved(folder, buffer.getvalue())


@few
@given(_stored)
def test_features_are_contiguous_and_aligned_whatever_their_size(rows):
    shard, content, _ = packed(rows)
    with h5py.File(io.BytesIO(content)) as file:
        features = file["features"]
        assert features.chunks is features.compression is None
        assert features.dtype == rows.dtype
        assert features.id.get_offset() == shard.offset
        assert shard.offset % 4096 == 0
        assert np.array_equal(features[:], rows)


@few
@given(_stored)
def test_a_memory_map_at_the_offset_gives_the_rows(tmp_path_factory, rows):
    _, content, _ = packed(rows)
    path = saved(tmp_path_factory.mktemp("map"), content)
    with h5py.File(path) as file:
        offset = file["features"].id.get_offset()
    mapped = np.memmap(path, rows.dtype, "r", offset, rows.shape)
    assert np.array_equal(mapped, rows)


def test_the_name_is_the_sha256_of_the_bytes():
    shard, content, _ = packed(some_rows(3))
    assert shard.digest == hashlib.sha256(content).hexdigest()
    assert shard.size == len(content)


def test_the_same_rows_give_the_same_bytes_at_any_time():
    before = packed(some_rows(3))[1]
    time.sleep(1.1)  # HDF5 would note the second in which an object was made
    assert packed(some_rows(3))[1] == before
    assert packed(some_rows(3))[1] != packed(some_rows(3, seed=1))[1]
    assert packed(some_rows(3))[1] != packed(some_rows(3), seed=1)[1]


def test_a_shard_says_what_it_is():
    _, content, keys = packed(some_rows(3), views=np.array([0, 1, 65535], np.uint16))
    with h5py.File(io.BytesIO(content)) as file:
        assert file.attrs["format_version"] == SHARD_VERSION
        assert file.attrs["recipe"] == RECIPE.to_json()
        assert file.attrs["dtype"] == "float32"
        assert json.loads(file.attrs["producer"]) == {"engine": "keras"}
        assert np.array_equal(file["key"][:], keys)
        assert file["key"].dtype == np.uint8
        assert file["view"][:].tolist() == [0, 1, 65535]
        assert file["view"].dtype == "<u2"
        assert file["row_checksum"].dtype == "<u8"


def test_old_hdf5_can_read_it():
    # https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html: the superblock's version
    # is the byte after the signature; 2 came with HDF5 1.8 and has checksums.
    content = packed(some_rows(3))[1]
    assert content[:8] == b"\x89HDF\r\n\x1a\n"
    assert content[8] == 2


@few
@given(_stored)
def test_a_shard_is_unpacked_as_it_was_packed(tmp_path_factory, rows):
    recipe = FLOAT16 if rows.dtype == "<f2" else RECIPE
    shard, content, keys = packed(rows, recipe)
    again = unpack(saved(tmp_path_factory.mktemp("unpack"), content), recipe)
    plain = {"keys": None, "views": None, "checksums": None}
    assert replace(again, **plain) == replace(shard, **plain)
    assert np.array_equal(again.keys, keys)
    assert np.array_equal(again.identities, shard.identities)
    assert np.array_equal(again.checksums, shard.checksums)


def test_a_shard_whose_name_is_not_its_digest_is_corrupt(tmp_path):
    path = saved(tmp_path, packed(some_rows(3))[1])
    renamed = path.rename(tmp_path / f"{'0' * 64}.h5")
    with pytest.raises(CorruptStore, match=f"the file's digest is {path.stem[:12]}"):
        unpack(renamed, RECIPE)


def test_a_shard_of_another_recipe_is_corrupt(tmp_path):
    path = saved(tmp_path, packed(some_rows(3))[1])
    with pytest.raises(CorruptStore, match="another recipe"):
        unpack(path, replace(RECIPE, tap="other"))


def test_a_newer_shard_is_refused(tmp_path):
    with pytest.raises(NewerFormat, match="update gargalo"):
        unpack(crafted(tmp_path, format_version=SHARD_VERSION + 1), RECIPE)


@pytest.mark.parametrize("content", [b"", b"not HDF5", bytes(10_000)])
def test_what_is_not_hdf5_is_corrupt_even_under_its_right_name(tmp_path, content):
    with pytest.raises(CorruptStore, match="not a shard"):
        unpack(saved(tmp_path, content), RECIPE)


def test_hdf5_that_is_no_shard_is_corrupt(tmp_path):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["features"] = np.zeros(3)
    with pytest.raises(CorruptStore, match="not a shard"):
        unpack(saved(tmp_path, buffer.getvalue()), RECIPE)


@pytest.mark.parametrize("dtype", ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "<i2", "u1"])
def test_any_layout_is_stored_in_order_and_little_endian(dtype):
    rows = (some_rows(6, (5, 4)) * 50).astype("<i1").astype(dtype).transpose(1, 2, 0)[::-1, :, ::2]
    stored = fit(RECIPE, rows, count=5, shape=(4, 3))
    assert stored.dtype.str == "<f4"
    assert stored.flags.c_contiguous
    assert np.array_equal(stored, rows.astype("<f4"))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("recipe", [RECIPE, FLOAT16])
def test_rows_that_are_not_finite_are_unfit(bad, recipe):
    rows = some_rows(4)
    rows[2, 3] = bad
    with pytest.raises(UnfitFeatures, match=r"1 of 4 rows are not finite \(the first is row 2\)"):
        fit(recipe, rows, count=4, shape=(8,))


def test_float16_ends_at_65504():
    rows = np.array([[65504.0], [-65504.0]], np.float32)
    assert fit(FLOAT16, rows, count=2, shape=(1,)).tolist() == rows.tolist()
    with pytest.raises(UnfitFeatures, match=r"1 of 2 rows exceed float16's 65504.*--dtype float32"):
        fit(FLOAT16, rows * [[1], [1.001]], count=2, shape=(1,))


def test_float32_has_an_end_too():
    with pytest.raises(UnfitFeatures, match="exceed float32's"):
        fit(RECIPE, np.full((1, 1), 1e39), count=1, shape=None)


@pytest.mark.parametrize(
    ("rows", "shape"),
    [
        (np.zeros((2, 8)), None),
        (np.zeros((4, 8)), None),
        (np.zeros((3, 7)), (8,)),
        (np.zeros((3, 8, 1)), (8,)),
        (np.zeros(3), (8,)),
        (np.zeros((3, 8)), ()),
        (np.zeros((3, 0)), None),
        (np.zeros(()), None),
    ],
)
def test_rows_of_the_wrong_shape_or_count_are_unfit(rows, shape):
    with pytest.raises(UnfitFeatures, match="expected 3 rows"):
        fit(RECIPE, rows, count=3, shape=shape)


def test_no_rows_at_all_are_unfit():
    with pytest.raises(UnfitFeatures, match="expected 0 rows"):
        fit(RECIPE, np.zeros((0, 8)), count=0, shape=None)


def test_shards_of_format_1_are_read_and_their_index_made_anew(tmp_path):
    # Two shards, of 6 rows and of 2 (view 3), as version 0.1.0 wrote them.
    shutil.copytree(ARCHIVED, tmp_path, dirs_exist_ok=True)
    store = FeatureStore(tmp_path, RECIPE)
    assert np.array_equal(store.read(some_keys(6)), some_rows(6))
    assert np.array_equal(store.read(some_keys(2, seed=1), views=3), some_rows(2, seed=1))
    assert store.verify() == []
    assert not quarantined(store)
    flip_row(store, 1)  # from now on, a row of these too is lost alone
    assert len(store.verify()) == 1
    assert store.missing(some_keys(6)).sum() + store.missing(some_keys(2, 1), views=3).sum() == 1
