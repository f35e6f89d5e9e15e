"""Keras's own listing, here or in a process of its own, says the same."""

import shutil

import pytest

from tasks.datasets import keras_listing
from tasks.datasets.folder_listing import list_folder
from tasks.datasets.keras_listing import classes_by_keras
from tasks.errors import InputError
from tests.support.images import small_png, write, write_classes


@pytest.fixture
def folder(tmp_path):
    folder = write_classes(tmp_path / "pets")
    write(folder / "cat" / ".hidden" / "1.png", small_png(1))
    write(folder / "no images" / "notes.txt", b"")
    return folder


@pytest.fixture
def in_a_child(monkeypatch):
    monkeypatch.setattr(keras_listing, "_MANY", 0)


def test_classes_and_files_are_the_same_in_a_process_of_its_own(folder):
    found = keras_listing._found_in_a_child(folder, len(f"{folder}/"))
    assert found == keras_listing._found(folder, len(f"{folder}/"))
    assert classes_by_keras(list_folder(folder)) == ("cat", "dog", "no images")


def test_files_that_came_meanwhile_are_named(folder):
    listing = list_folder(folder)
    write(folder / "dog" / "new.png", small_png(1))
    with pytest.raises(OSError, match=r"changed while they were listed, for example 'dog/new.png'"):
        classes_by_keras(listing)


def test_what_keras_refuses_is_the_users_error(folder, in_a_child):
    listing = list_folder(folder)
    for path in folder.rglob("*.png"):
        path.unlink()
    with pytest.raises(InputError, match="pets: No images found"):
        classes_by_keras(listing)


def test_a_process_that_fails_says_so(folder, monkeypatch):
    monkeypatch.setattr(keras_listing.sys, "executable", shutil.which("false"))
    with pytest.raises(OSError, match=r"pets: Keras's listing failed in its process: exit code 1"):
        keras_listing._found_in_a_child(folder, 0)
