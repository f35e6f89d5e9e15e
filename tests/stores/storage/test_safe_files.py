"""Kind: what is in a store is opened as if it were a regular file of the store."""

import os
import socket
import stat

import pytest

from stores.errors import CorruptStore
from stores.storage.safe_files import (
    IrregularFile,
    SparseFile,
    UnsafeName,
    create,
    is_file,
    is_folder,
    note_root,
    open_lock,
    open_regular,
    read_bytes,
    read_text,
    within,
)
from stores.storage.safe_folders import files_below, irregular
from tests.support.samples import in_child


@pytest.fixture
def root(tmp_path):
    (tmp_path / "disk" / "part").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "key").write_text("secret")
    (tmp_path / "store").symlink_to("disk")
    return note_root(tmp_path / "store")


def make(path, kind):
    """Make what is no regular file."""
    if kind == "a link":
        path.symlink_to("../outside/key")
    elif kind == "a folder":
        path.mkdir()
    elif kind == "a FIFO":
        os.mkfifo(path)
    elif kind == "a device":
        try:
            os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))  # /dev/zero
        except PermissionError:
            pytest.skip("only root can make a device")
    else:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)  # its whole path may be too long


@pytest.mark.parametrize("kind", ["a link", "a folder", "a FIFO", "a device", "a socket"])
def test_what_is_no_regular_file_is_never_opened(root, kind, monkeypatch):
    monkeypatch.chdir(root)
    make(root / "odd", kind)
    for opened in (open_regular, open_lock):
        with pytest.raises(IrregularFile, match=r"odd: expected a file, found a"):
            in_child(lambda opened=opened: opened(root / "odd") and None, seconds=5)
    assert not is_file(root / "odd")


def test_no_folder_on_the_way_is_a_link_but_the_root_may_be_one(root, tmp_path):
    (root / "part" / "file").write_bytes(b"content")
    assert read_bytes(root / "part" / "file") == b"content"
    (root / "linked").symlink_to(tmp_path / "outside")
    with pytest.raises(IrregularFile, match="linked: expected a folder, found a link"):
        read_bytes(root / "linked" / "key")
    with pytest.raises(IrregularFile, match="linked"):
        create(root / "linked" / "new")
    assert not is_folder(root / "linked")
    assert is_folder(root)
    assert is_folder(root / "part")


def test_a_store_in_a_store_has_its_own_root(root):
    (root / "to").symlink_to("part")
    (root / "part" / "file").write_bytes(b"content")
    assert read_bytes(note_root(root / "to") / "file") == b"content"


def test_a_file_is_created_only_where_nothing_is(root, tmp_path):
    with create(root / "new") as file:
        file.write(b"content")
    (root / "dangling").symlink_to(tmp_path / "outside" / "new")
    for name in "new", "dangling":
        with pytest.raises(FileExistsError, match=name):
            create(root / name)
    assert not (tmp_path / "outside" / "new").exists()


def test_folders_in_folders_are_bounded(root):
    deep = root / "part" / "/".join("d" * 80)
    deep.mkdir(parents=True)
    (deep / "file").touch()
    assert "part/d/d: folders more than 64 deep" in irregular(root / "part")[0]
    with pytest.raises(IrregularFile, match="part/d/d: folders more than 64 deep"):
        files_below(root / "part")
    with pytest.raises(IrregularFile, match="part/d/d: folders more than 64 deep"):
        read_bytes(deep / "file")


def test_errors_have_the_whole_path(root):
    with pytest.raises(FileNotFoundError) as caught:
        read_bytes(root / "part" / "none")
    assert caught.value.filename == str(root / "part" / "none")


def test_an_announced_size_is_bounded_before_it_is_read(root):
    with create(root / "large") as file:
        file.truncate(2**27)
    with pytest.raises(CorruptStore, match="expected at most"):
        read_text(root / "large")


@pytest.mark.parametrize(
    "name",
    [
        *[
            "",
            "/etc/passwd",
            "..",
            "a/../b",
            "a/..",
            "./a",
            "a//b",
            "a/",
            "a\0b",
            "a\nb",
            "\x1b[0m",
        ],
        *["a\\b", "C:/b", "c:b", "é" * 128],
    ],
)
def test_a_name_that_is_no_plain_path_is_refused(tmp_path, name):
    with pytest.raises(UnsafeName, match="no name of a file"):
        within(tmp_path, name)


@pytest.mark.parametrize(
    "name", ["a", "a/b.h5", "datasets/my pets: 2/m.parquet", "日本語/..a", "é"]
)
def test_a_plain_name_is_a_path_below_the_root(tmp_path, name):
    assert within(tmp_path, name) == tmp_path / name


def test_a_sparse_file_is_damage_before_it_is_read(root):
    """The kind: what has a size that nobody wrote is read, hashed or mapped to its end."""
    (root / "part" / "large").write_bytes(b"x" * 5000)
    os.truncate(root / "part" / "large", 50 << 30)
    for opened in (open_regular, read_bytes):
        with pytest.raises(SparseFile, match="of 53687091200 bytes next to none were ever written"):
            in_child(lambda opened=opened: opened(root / "part" / "large") and None, seconds=5)
    os.truncate(root / "part" / "large", 1 << 20)  # small, it costs nobody anything
    assert len(read_bytes(root / "part" / "large")) == 1 << 20


def test_what_does_not_fit_in_memory_is_not_read(root, monkeypatch):
    (root / "part" / "file").write_bytes(b"content")
    monkeypatch.setattr("stores.storage.safe_files.most_in_memory", lambda: 6)
    with pytest.raises(CorruptStore, match="file: 7 bytes; expected at most 6"):
        read_bytes(root / "part" / "file")
