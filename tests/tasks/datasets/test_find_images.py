"""What is predicted of a folder, and what is counted as not predicted."""

import os
from pathlib import Path

import pytest

from tasks.datasets.find_images import find_images, in_words
from tasks.errors import InputError
from tests.support.images import small_png, write
from tests.support.samples import in_child


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "new/a.png", small_png(0))
    write(tmp_path / "new/more/b.JPG", small_png(1))
    return tmp_path / "new"


def test_images_come_in_order_and_once(folder):
    found = find_images([folder / "more/b.JPG", folder])
    assert found.paths == (folder / "more/b.JPG", folder / "a.png")
    assert found.passed_over == {}


def test_what_is_passed_over_is_counted_by_its_ending(folder, tmp_path):
    for name in ("1.psd", "2.PSD", "more/3.psd", "notes.txt", "README"):
        write(folder / name, b"")
    write(tmp_path / "elsewhere/c.png", small_png(2))
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    found = find_images([folder])
    assert len(found.paths) == 2
    assert found.passed_over == {".psd": 3, ".txt": 1, "without extension": 1, "linked folder": 1}
    assert in_words(found.passed_over).startswith("3 .psd, 1 ")
    assert next(iter(found.passed_over)) == ".psd"


@pytest.mark.parametrize("name", [".ipynb_checkpoints", "@eaDir", "more/__MACOSX/deep"])
def test_images_of_hidden_folders_are_counted_as_for_a_data_set(folder, name):
    """The kind: one folder is read by two rules."""
    for file in ("a-checkpoint.png", "b.JPG", "c.txt"):
        write(folder / name / file, small_png(3))
    found = find_images([folder])
    assert found.paths == (folder / "a.png", folder / "more/b.JPG")
    assert found.passed_over == {"in hidden folders": 2}
    assert len(find_images([folder / name]).paths) == 2  # a folder that is named is meant


def test_files_of_operating_systems_are_not_counted(folder):
    for name in ("._a.png", ".DS_Store", "more/Thumbs.db", "more/desktop.ini"):
        write(folder / name, b"")
    found = find_images([folder])
    assert (len(found.paths), found.passed_over) == (2, {})


def test_a_folder_that_is_closed_is_counted(public):
    write(public / "a.png", small_png(0))
    (public / "closed").mkdir(mode=0)
    found = in_child(lambda: find_images([public]).passed_over, nobody=True)
    assert found == {"unreadable folder": 1}


def test_a_pipe_that_is_named_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "camera.jpg")
    with pytest.raises(InputError, match=r"camera.jpg: a pipe, expected a file or a folder; save"):
        find_images([tmp_path / "camera.jpg"])
    with pytest.raises(InputError, match="/dev/null: a device, expected a file"):
        find_images([Path("/dev/null")])


def test_a_pipe_in_a_folder_is_an_image_that_cannot_be_read(folder):
    os.mkfifo(folder / "camera.jpg")
    assert folder / "camera.jpg" in find_images([folder]).paths


def test_a_place_without_images_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    write(tmp_path / "others/a.psd", b"")
    with pytest.raises(InputError, match=r"no image found; expected .*\.hif$"):
        find_images([tmp_path / "empty"])
    with pytest.raises(InputError, match=r"no image found; expected .*; found 1 \.psd$"):
        find_images([tmp_path / "others"])
    with pytest.raises(InputError, match="not found; give an image file"):
        find_images([tmp_path / "none"])
    with pytest.raises(InputError, match="no images given"):
        find_images([])
