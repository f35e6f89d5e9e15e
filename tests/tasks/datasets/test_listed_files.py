"""Files as rows: alike, however many are taken at once."""

import os

import pyarrow.compute as pc
import pytest

from tasks.datasets import listed_files as module
from tasks.datasets.folder_layout import Layout
from tasks.datasets.listed_files import HIDDEN, listed_files, names_by_layout

LAYOUT = Layout({"": None}, ("cat", "dog"))
FILES = ("cat/1.jpg", "cat/2.txt", "cat/.cache/3.png", "dog/4.png", "dog/5.PNG", "6.jpg")


@pytest.fixture
def folder(tmp_path):
    for number, name in enumerate(FILES):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(bytes(number))
    (tmp_path / "dog/7.jpg").symlink_to("nowhere")
    return tmp_path


def listed(folder):
    return listed_files(names_by_layout(folder, LAYOUT, []))


def test_each_file_has_its_folders_label_its_own_stamp_and_its_trouble(folder):
    rows = {row.pop("path"): row for row in listed(folder).to_pylist()}
    assert list(rows) == sorted((*FILES, "dog/7.jpg"))
    about = (folder / "dog/5.PNG").stat()
    assert rows["dog/5.PNG"] == {
        "label": "dog",
        "split": None,
        "size": 4,
        "mtime_ns": about.st_mtime_ns,
        "ctime_ns": about.st_ctime_ns,
        "inode": about.st_ino,
        "trouble": "",
        "is_image": True,
    }
    troubles = {path: row["trouble"] for path, row in rows.items() if row["trouble"]}
    dangling = "dangling link to 'nowhere'"
    assert troubles == {"cat/.cache/3.png": HIDDEN, "dog/7.jpg": dangling}
    images = {path for path, row in rows.items() if row["is_image"]}
    assert images == {"cat/1.jpg", "dog/4.png", "dog/5.PNG", "dog/7.jpg"}


@pytest.mark.parametrize("at_once", [1, 2, 3, 7])
def test_rows_are_the_same_however_many_are_taken_at_once(folder, at_once, monkeypatch):
    expected = listed(folder)
    monkeypatch.setattr(module, "_FILES_AT_ONCE", at_once)
    assert listed(folder).equals(expected)


def test_a_folder_without_permission_is_a_row_that_says_so(folder, monkeypatch):
    def walk(top, onerror):
        onerror(PermissionError(13, "Permission denied", str(top)))
        return iter(())

    monkeypatch.setattr(os, "walk", walk)
    rows = listed(folder).filter(pc.not_equal(listed(folder)["trouble"], "")).to_pylist()
    assert [(row["path"], row["trouble"]) for row in rows] == [
        ("cat/", "Permission denied"),
        ("dog/", "Permission denied"),
    ]
