import os

import pytest

from stores.storage.sizes import is_sparse, most_in_memory

LARGE = 2**30


class About:
    """What a file system may tell of an open file."""

    def __init__(self, blocks):
        self.st_size, self.st_blocks = LARGE, blocks


@pytest.fixture
def descriptor(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 4096)
    os.truncate(path, LARGE)
    descriptor = os.open(path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def test_a_file_of_holes_is_sparse_and_is_read_from_its_start_all_the_same(descriptor):
    assert is_sparse(descriptor, os.fstat(descriptor))
    assert os.lseek(descriptor, 0, os.SEEK_CUR) == 0


def test_a_file_system_that_compresses_makes_no_sparse_file(descriptor):
    assert not is_sparse(descriptor, About(LARGE // 512 // 32))


def test_a_file_system_that_tells_of_no_blocks_makes_no_sparse_file(descriptor, monkeypatch):
    # What a kernel answers where a file system has no map of holes: all is data.
    monkeypatch.setattr("os.lseek", lambda _, end, how: LARGE if how == os.SEEK_HOLE else end)
    assert not is_sparse(descriptor, About(0))


def test_half_of_memory_is_more_than_a_table_needs():
    assert most_in_memory() > 2**28
