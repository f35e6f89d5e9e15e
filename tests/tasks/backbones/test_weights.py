"""Weights of a file: which they are, and that they are still those when they are loaded."""

import hashlib
import os
import shutil
import socket
from pathlib import Path

import h5py
import pytest

from tasks.backbones.registry import find_backbone
from tasks.backbones.weights import build_backbone, find_weights
from tasks.errors import WeightsError

LENET = find_backbone("lenet5")
SIZE = (32, 32)


def found(path):
    return find_weights(LENET, str(path), image_size=SIZE, seed=0, store="unused")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The path of some weights; tests change copies."""
    path = tmp_path_factory.mktemp("saved") / "good.weights.h5"
    LENET.build(SIZE).save_weights(path)
    return path


@pytest.mark.parametrize("asked", ["nowhere.h5", "~nobody-of-that-name/x.h5", "imagenett"])
def test_a_file_that_is_not_there_is_said(asked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match=f"{asked}: file not found; expected imagenet, none, or"):
        found(asked)
    with pytest.raises(WeightsError, match=r"\.: is a folder; expected imagenet"):
        found(".")


def test_an_unreadable_file_is_said(saved, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tasks.execution.user_files.os.open", refuse)
    with pytest.raises(WeightsError, match="cannot be read: Permission denied"):
        found(saved)


@pytest.mark.parametrize("name", ["long.weights.h5", "long.pth"])
def test_a_file_that_is_longer_than_its_arrays_is_not_read(saved, tmp_path, monkeypatch, name):
    """The kind: a sparse file, which takes minutes to read and no room."""
    path = Path(shutil.copy(saved, tmp_path / name))
    os.truncate(path, 2**40)
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("it is read"))
    with pytest.raises(WeightsError, match=r"1,099,511,627,776 bytes, expected at most .*; the"):
        found(path)


def test_a_file_that_changes_before_it_is_loaded_is_noticed(saved, tmp_path):
    path = Path(shutil.copy(saved, tmp_path / "one.weights.h5"))
    weights = found(path)
    with h5py.File(path, "r+") as file:
        file["layers/conv2d/vars/0"][0] = 0.25
    with pytest.raises(WeightsError, match="changed while it was read"):
        build_backbone(LENET, weights, SIZE)


def test_a_file_that_another_machine_lacks_is_said_with_its_name(saved, tmp_path):
    path = Path(shutil.copy(saved, tmp_path / "one.weights.h5"))
    weights = found(path)
    path.unlink()
    with pytest.raises(WeightsError, match=f"file not found on {socket.gethostname()}"):
        build_backbone(LENET, weights, SIZE)


def test_the_bytes_of_the_file_name_the_weights(saved, tmp_path):
    other = Path(shutil.copy(saved, tmp_path / "elsewhere.weights.h5"))
    changed = tmp_path / "changed.weights.h5"
    changed.write_bytes(saved.read_bytes() + b"\0")
    named = [found(path).digest for path in (saved, other, changed)]
    assert named[0] == named[1] != named[2]
