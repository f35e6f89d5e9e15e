"""The one door to files that a user names: only regular files are read, and none without an end.

What is a pipe, a socket or a device is not waited for. Files in a store have a door of their own,
`stores.storage.safe_files`, which follows no link.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from tasks.errors import InputError

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


@contextmanager
def opened(path: Path | str) -> Iterator[BufferedReader]:
    """Open a file for reading; raises OSError, or InputError where it is no regular file."""
    # Without waiting for whoever writes into a pipe; of a regular file it means nothing.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise InputError(f"{kind_of_file(about.st_mode)}, expected a regular file")
        with open(descriptor, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(descriptor)


def size_of(file: BufferedReader) -> int:
    """Return how many bytes an open file has."""
    return os.fstat(file.fileno()).st_size


def read_whole(path: Path | str, *, most: int, fix: str = "") -> bytes:
    """Return a file's bytes; raises OSError, or InputError where there are more than `most`.

    It is not read then, unless it grows meanwhile. `fix` is the way out that the error names.
    """
    with opened(path) as file:
        size = size_of(file)
        content = file.read(most + 1) if size <= most else b""
    if size > most or len(content) > most:
        way_out = f"; {fix}" if fix else ""
        raise InputError(f"a file of {size:,} bytes, expected at most {most:,}{way_out}")
    return content


def kind_of_file(mode: int) -> str:
    """Return what a file that is not regular is, by its mode."""
    return _KINDS.get(stat.S_IFMT(mode), "no regular file")
