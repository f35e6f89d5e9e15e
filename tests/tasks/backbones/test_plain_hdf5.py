"""The kind: a small file whose reading takes gigabytes, whatever it announces."""

import re
import struct
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from tasks.backbones.plain_hdf5 import NotPlain, plain_arrays

SHAPE = (3, 3)


def filtered(file):
    """Store what unpacks to 20 MB, twice packed, as the only chunk of 36 bytes."""
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_chunk(SHAPE)
    for _ in range(2):
        creation.set_filter(h5py.h5z.FILTER_DEFLATE, h5py.h5z.FLAG_MANDATORY, (9,))
    space = h5py.h5s.create_simple(SHAPE)
    made = h5py.h5d.create(file.id, b"bomb", h5py.h5t.IEEE_F32LE, space, creation)
    made.write_direct_chunk((0, 0), zlib.compress(zlib.compress(bytes(20_000_000))))


ODD = {
    "compressed": (filtered, "without compression"),
    "gzip": (lambda f: f.create_dataset("b", SHAPE, compression="gzip"), "without compression"),
    "shuffled": (lambda f: f.create_dataset("b", SHAPE, shuffle=True), "without compression"),
    "a soft link": (lambda f: f.update({"b": h5py.SoftLink("/a")}), "is a link"),
    "text": (
        lambda f: f.create_dataset("b", SHAPE, h5py.string_dtype()),
        "not an array of numbers",
    ),
    "references": (
        lambda f: f["a"].attrs.create("n", f.ref, dtype=h5py.ref_dtype),
        "attribute 'n' of '/a'",
    ),
    "many names": (
        lambda f: f.attrs.create("weight_names", np.zeros(200_000, "S1")),
        "attribute 'weight_names'",
    ),
}


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        file["a"] = np.ones(SHAPE, np.float32)
        file["group/b"] = np.array(3)
        yield file


def arrays(file):
    file.flush()
    return sorted(array.name for array in plain_arrays(file, Path(file.filename).read_bytes()))


def test_what_keras_writes_is_plain(file):
    file.attrs["model_config"] = "{" + " " * 10**6 + "}"
    file.attrs["layer_names"] = [f"layer_{n}".encode() for n in range(3000)]
    file.attrs["keras_version"] = "3.0.0"
    file["a"].attrs["dtype"] = "bfloat16"
    assert arrays(file) == ["/a", "/group/b"]


def test_names_that_are_all_one_long_text_are_refused(tmp_path):
    path = tmp_path / "names.h5"
    with h5py.File(path, "w") as file:
        texts = ["X" * 2**20, *(f"name {n}" for n in range(999))]
        file.attrs.create("layer_names", texts, dtype=h5py.string_dtype())
        assert arrays(file) == []
    content = bytearray(path.read_bytes())
    long = struct.pack("<I", 2**20)  # a reference: the length, the heap's address, the number
    place = next(
        at
        for at in (found.start() for found in re.finditer(re.escape(long), content))
        if content[(heap := int.from_bytes(content[at + 4 : at + 12], "little")) :][:4] == b"GCOL"
    )
    assert heap
    content[place : place + 16 * 1000] = content[place : place + 16] * 1000
    path.write_bytes(content)
    with (
        h5py.File(path) as spoilt,
        pytest.raises(NotPlain, match="a long string is used many times; save"),
    ):
        plain_arrays(spoilt, bytes(content))


@pytest.mark.parametrize("name", ODD)
def test_anything_else_is_refused_unread(file, monkeypatch, name):
    make, expected = ODD[name]
    make(file)

    def read(*_):
        raise AssertionError("something is read")

    monkeypatch.setattr(h5py.Dataset, "__getitem__", read)
    monkeypatch.setattr(h5py.AttributeManager, "__getitem__", read)
    with pytest.raises(NotPlain, match=expected) as told:
        arrays(file)
    assert "save" in str(told.value)
