"""The kind: a model in a zip file of a few bytes that unpacks to gigabytes."""

import io
import zipfile

import h5py
import keras
import numpy as np
import pytest

from tasks.backbones.keras_archive import check_keras


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
