"""Shards whose digest is right and whose content is absurd cost themselves alone."""

import hashlib
import io
import json

import h5py
import numpy as np
import pyarrow as pa
import pytest

from stores import CorruptStore, FeatureStore, UnfitFeatures
from stores.features.index_fragments import FRAGMENT_VERSION
from stores.features.layers import remember_layers
from stores.features.row_checksums import identity_words, row_checksums
from stores.features.shard import unpack
from stores.features.shard_structure import text_attribute, version_attribute
from stores.keys import identities
from stores.merge.features import merge
from stores.storage.stamped_parquet import read_table, table_bytes
from tests.stores.features.test_shard import packed
from tests.support.samples import (
    RECIPE,
    a_store,
    fragments,
    quarantined,
    snapshot,
    some_keys,
    some_rows,
)

KEYS, ROWS = some_keys(4, seed=5), some_rows(4, seed=5)


def replaced(name, **options):
    """Return what replaces a dataset of a shard by one made with other options."""

    def change(file):
        about = {"data": file[name][:]} | options
        del file[name]
        file.create_dataset(name, **about)

    return change


def without(name):
    def change(file):
        del file[name]

    return change


def moved(file):
    rows = file["features"][:]
    del file["features"]
    file.create_dataset("more", data=[1])
    file.create_dataset("features", data=rows)
    assert file["features"].id.get_offset() % 4096


def external(file):
    del file["features"]
    dtype, outside = np.dtype("<f4"), [("/etc/passwd", 0, 128)]
    file.create_dataset("features", (4, 8), dtype, external=outside)


def virtual(file):
    layout = h5py.VirtualLayout((4, 8), "<f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "features", (4, 8))
    del file["features"]
    file.create_virtual_dataset("features", layout)


def linked(link):
    def change(file):
        del file["features"]
        file["features"] = link

    return change


def a_group(file):
    del file["key"]
    file.create_group("key")


def announced(file):
    """Say that there are more rows than a disk holds."""
    del file["features"]
    file.create_dataset("features", (2**40, 8), "<f4", chunks=(1024, 8))


def attribute(name, value):
    def change(file):
        if value is None:
            del file.attrs[name]
        else:
            file.attrs[name] = value

    return change


def texts_that_are_one(name):
    """Give an attribute a thousand texts, which are all the same bytes of the file."""

    def change(file):
        file.attrs.create(name, ["x" * 1000] * 1000, dtype=h5py.string_dtype())

    return change


LIES = {
    "recipes that are one text": texts_that_are_one("recipe"),
    "producers that are one text": texts_that_are_one("producer"),
    "a list of one version": attribute("format_version", [2]),
    "chunked": replaced("features", chunks=(2, 8)),
    "compressed": replaced("features", chunks=(2, 8), compression="gzip"),
    "external": external,
    "virtual": virtual,
    "soft link": linked(h5py.SoftLink("/key")),
    "external link": linked(h5py.ExternalLink("/etc/passwd", "/")),
    "announced": announced,
    "not aligned": moved,
    "no features": without("features"),
    "no keys": without("key"),
    "a group": a_group,
    "big-endian": replaced("features", dtype=">f4"),
    "float64": replaced("features", dtype="<f8"),
    "whole numbers": replaced("features", dtype="<i4"),
    "one number": replaced("features", data=np.float32(1)),
    "no rows": replaced("features", data=np.empty((0, 8), np.float32)),
    "fewer keys": replaced("key", data=KEYS[:3]),
    "keys of text": replaced("key", data=["a", "b", "c", "d"]),
    "short keys": replaced("key", data=KEYS[:, :16]),
    "negative views": replaced("view", data=np.full(4, -1, np.int32)),
    "more views": replaced("view", data=np.zeros(5, np.uint16)),
    "other checksums": replaced("row_checksum", data=np.zeros(4, np.uint64)),
    "no version": attribute("format_version", None),
    "a version of text": attribute("format_version", "two"),
    "versions": attribute("format_version", [1, 2]),
    "no recipe": attribute("recipe", None),
    "a recipe that is a number": attribute("recipe", 7),
    "recipes": attribute("recipe", ["a", "b"]),
    "no producer": attribute("producer", None),
    "a producer that is a list": attribute("producer", "[]"),
    "a producer that is no JSON": attribute("producer", "{"),
}


def content(rows=ROWS, keys=KEYS, change=None):
    """Return the bytes of a shard, changed; HDF5 puts what is new where it has room."""
    buffer = io.BytesIO(packed(rows, seed=5)[1])
    with h5py.File(buffer, "r+", libver="v108") as file:
        if not np.array_equal(keys, KEYS):
            file["key"][:] = keys
        if change:
            change(file)
    return buffer.getvalue()


def plant(store, data):
    """Put a file among a store's shards, under its right name."""
    path = store.folder / "shards" / f"{hashlib.sha256(data).hexdigest()}.h5"
    path.write_bytes(data)
    return path


@pytest.fixture
def store(tmp_path):
    """A store with a whole shard of its own."""
    return a_store(tmp_path / "own")


def opened(store):
    return FeatureStore(store.root, RECIPE)


@pytest.mark.parametrize("lie", LIES)
def test_a_shard_that_is_absurd_inside_is_set_aside(store, lie):
    one, keys, rows = store
    path = plant(one, content(change=LIES[lie]))
    with pytest.raises(CorruptStore):
        unpack(path, RECIPE)
    assert np.array_equal(opened(one).read(keys), rows)
    assert [file.name for file in quarantined(one)] == [path.name]
    assert not opened(one).verify()


@pytest.mark.parametrize("lie", LIES)
def test_verify_names_what_is_absurd_inside(store, lie):
    one, keys, rows = store
    path = plant(one, content(change=LIES[lie]))
    (finding,) = opened(one).verify()
    assert path.stem[:12] in finding
    assert opened(one).reindex() == 1
    assert np.array_equal(opened(one).read(keys), rows)


@pytest.mark.parametrize("lie", LIES)
def test_what_is_absurd_inside_is_not_taken_over(store, tmp_path, lie):
    one, _, _ = store
    theirs, keys, _ = a_store(tmp_path / "theirs", seed=1)
    plant(theirs, content(change=LIES[lie]))
    before = snapshot(theirs.root)
    merged = merge(one.root, theirs.root)
    assert (merged.shards, len(merged.damaged)) == (1, 1)
    assert not opened(one).missing(keys).any()
    assert not opened(one).verify()
    assert snapshot(theirs.root) == before


@pytest.mark.parametrize("lie", LIES)
def test_what_is_absurd_inside_is_skipped_in_a_layer(store, tmp_path, lie):
    one, keys, rows = store
    theirs, their_keys, their_rows = a_store(tmp_path / "theirs", seed=1)
    plant(theirs, content(change=LIES[lie]))
    remember_layers(one.root, [theirs.root])
    before = snapshot(theirs.root)
    assert np.array_equal(opened(one).read([*keys, *their_keys]), [*rows, *their_rows])
    assert len(list((one.folder / "skipped").iterdir())) == 1
    assert snapshot(theirs.root) == before


def test_rows_that_are_not_finite_are_damage_and_the_others_are_kept(store):
    one, _, _ = store
    rows = ROWS.copy()
    rows[2, 3] = np.nan
    plant(one, content(rows))
    reader = opened(one)
    assert reader.missing(KEYS).all()  # without a fragment nobody knows its rows
    assert len(quarantined(one)) == 1


@pytest.mark.parametrize("where", ["own", "layer", "merged"])
def test_a_shard_whose_rows_have_another_shape_costs_itself_alone(store, tmp_path, where):
    one, keys, rows = store
    odd = some_rows(4, (3, 2), seed=5)
    if where == "own":
        plant(one, content(odd))
    else:
        theirs = FeatureStore(tmp_path / "theirs", RECIPE)
        theirs.write(KEYS, odd)
        if where == "layer":
            remember_layers(one.root, [theirs.root])
        else:
            assert "expected (8,)" in merge(one.root, theirs.root).damaged[0]
    for _ in range(2):
        reader = opened(one)
        assert np.array_equal(reader.read(keys), rows)
        assert reader.missing(KEYS).all()
    assert len(quarantined(one)) == (where == "own")
    assert not opened(one).verify()


def test_verify_names_rows_of_another_shape(store):
    one, _, _ = store
    plant(one, content(some_rows(4, (3, 2), seed=5)))
    (finding,) = opened(one).verify()
    assert "its rows have shape (3, 2), those of the other shards of this recipe (8,)" in finding


FRAGMENT_LIES = {
    "no keys": lambda table, about: (table.drop(["key"]), about),
    "keys of text": lambda table, about: (
        table.set_column(0, "key", [["a"] * len(table)]),
        about,
    ),
    "negative views": lambda table, about: (
        table.set_column(1, "view", [np.full(len(table), -1)]),
        about,
    ),
    "empty cells": lambda table, about: (
        table.set_column(1, "view", pa.array([None] * len(table), pa.uint16())),
        about,
    ),
    "no rows": lambda table, about: (table.slice(0, 0), about),
    "fewer rows": lambda table, about: (table.slice(0, 2), about),
    "another column": lambda table, about: (table.append_column("more", [[1] * 6]), about),
    **{
        f"{name} {value!r}": lambda table, about, name=name, value=value: (
            table,
            about | {name: value},
        )
        for name, values in {
            "size": ["6", -1, None, 2**70, 1.5, True],
            "offset": ["0", -4096, 4097, 2**62, None, []],
            "dtype": ["<f8", "O", 7, None, "<f2"],
            "shape": [8, "8", [-8], ["8"], [2**62, 2**62], None, {}, [[8]], [0]],
            "checksum": ["x", -1, 2**64, None],
            "producer": [[], "keras", None],
            "digest": [None, 7],
            "recipe": [None, []],
        }.items()
        for value in values
    },
}


@pytest.mark.parametrize("lie", FRAGMENT_LIES)
def test_a_fragment_that_is_absurd_inside_is_made_again(store, lie):
    one, keys, rows = store
    path = fragments(one)[0]
    whole = path.read_bytes()
    table, about = read_table(path, kind="index fragment", version=FRAGMENT_VERSION)
    table, about = FRAGMENT_LIES[lie](table, about)
    path.write_bytes(
        table_bytes(table, kind="index fragment", version=FRAGMENT_VERSION, metadata=about)
    )
    reader = opened(one)
    if lie == "fewer rows":
        (finding,) = reader.verify()
        assert "its index fragment contradicts it" in finding
    assert np.array_equal(reader.read(keys), rows)
    assert path.read_bytes() == whole
    assert not quarantined(one)


def test_metadata_that_is_no_object_is_damage(store):
    one, keys, rows = store
    path = fragments(one)[0]
    table, _ = read_table(path, kind="index fragment", version=FRAGMENT_VERSION)
    path.write_bytes(
        table_bytes(table, kind="index fragment", version=FRAGMENT_VERSION, metadata=[1])
    )
    assert np.array_equal(opened(one).read(keys), rows)


def test_the_checksums_of_a_shard_are_those_of_its_rows():
    words = identity_words(RECIPE.fingerprint, identities(KEYS, np.zeros(4, np.uint16)))
    with h5py.File(io.BytesIO(content())) as file:
        assert np.array_equal(file["row_checksum"][:], row_checksums(words, ROWS))
        assert json.loads(file.attrs["producer"]) == {"engine": "keras"}


@pytest.mark.parametrize("name", ["recipe", "format_version", "producer"])
def test_an_attribute_is_looked_at_before_it_is_read(monkeypatch, name):
    """The kind: a few bytes of a file that are many texts are all brought to memory."""
    buffer = io.BytesIO(content(change=texts_that_are_one(name)))
    with h5py.File(buffer, "r") as file:
        monkeypatch.setattr(h5py.AttributeManager, "__getitem__", None)
        with pytest.raises(ValueError, match=f"attribute {name}: expected"):
            {"format_version": version_attribute}.get(name, lambda f: text_attribute(f, name))(file)


def test_two_rows_of_one_image_that_differ_are_damage(store):
    """The kind: which of two answers is given is left to chance, and called whole."""
    kept, _, _ = store
    twice = KEYS.copy()
    twice[1] = twice[0]
    with pytest.raises(UnfitFeatures, match="2 of 4 rows contradict another"):
        kept.write(twice, ROWS, producer={})
    kept.write(twice, ROWS[[0, 0, 2, 3]], producer={})  # the same twice is no contradiction
    path = plant(kept, content(rows=ROWS, keys=twice, change=rechecked(twice)))
    with pytest.raises(CorruptStore, match="two rows of one image"):
        unpack(path, RECIPE)


def rechecked(keys):
    """Give each row the checksum of its key."""

    def change(file):
        words = identity_words(RECIPE.fingerprint, identities(keys, file["view"][:]))
        file["row_checksum"][:] = row_checksums(words, file["features"][:])

    return change
