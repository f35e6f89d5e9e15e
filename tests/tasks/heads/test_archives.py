"""The kind: a model in a zip file of a few bytes that unpacks to gigabytes."""

import io
import zipfile

import h5py
import keras
import numpy as np
import pytest

from tasks.heads.archives import check_keras, check_stored


def zipped(path, parts, how=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def weights(**options):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_dataset("layers/dense/vars/0", dtype="f4", **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"config.json": " " * 2**27}, "but unpacks to 134,217,728"),
        (
            {"config.json": " " * (2**25 + 1), "noise": np.random.default_rng(0).bytes(2**22)},
            "'con",
        ),
        ({"model.weights.h5": weights(shape=(2**31,))}, "the weights declare 8,589,934,592"),
        ({"model.weights.h5": weights(shape=(9,), compression="gzip")}, "without compression"),
    ],
)
def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, parts, expected):
    with pytest.raises(ValueError, match=expected):
        check_keras(zipped(tmp_path / "head.keras", parts))


def test_a_model_passes_packed_or_not(tmp_path):
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(32)])
    model.compile("adam", "mse")
    model.save(tmp_path / "a.keras")
    check_keras(tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    check_keras(zipped(tmp_path / "packed.keras", parts))


def test_what_is_to_be_stored_plainly_is(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.zeros(10**6))
    check_stored(tmp_path / "a.npz")
    np.savez_compressed(tmp_path / "b.npz", a=np.zeros(10**6))
    with pytest.raises(ValueError, match="a compressed part"):
        check_stored(tmp_path / "b.npz")
    content = (tmp_path / "a.npz").read_bytes()
    place = content.index(b"PK\x01\x02")
    (tmp_path / "c.npz").write_bytes(twice(content, place))
    with pytest.raises(ValueError, match=r"c.npz declares 16,000,\d+ bytes, but has 8,000,\d+"):
        check_stored(tmp_path / "c.npz")


def twice(content, place):
    """Return a zip file whose directory names its only part twice."""
    end = content.index(b"PK\x05\x06")
    entry, tail = content[place:end], bytearray(content[end:])
    tail[8:12] = b"\x02\0\x02\0"
    tail[12:16] = (2 * len(entry)).to_bytes(4, "little")
    return content[:place] + 2 * entry + bytes(tail)
