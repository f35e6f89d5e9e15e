"""Safe reading of files that a user names: regular files only, up to a maximum size.

Pipes, sockets and devices are refused, because reading one could block or never end. Files in a
store are read by `stores.storage.safe_files`, which follows no symbolic links.
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
    """Open a file for reading; raises OSError, or InputError if it is not a regular file."""
    # O_NONBLOCK: do not wait for the writer of a pipe. It has no effect on a regular file.
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
    """Return the size of an open file in bytes."""
    return os.fstat(file.fileno()).st_size


def read_whole(path: Path | str, *, most: int, fix: str = "") -> bytes:
    """Return the content of a file; raises OSError, or InputError if it exceeds `most` bytes.

    `fix` is added to that error.
    """
    with opened(path) as file:
        size = size_of(file)
        content = file.read(most + 1) if size <= most else b""
    if size > most or len(content) > most:
        fixed_by = f"; {fix}" if fix else ""
        raise InputError(f"a file of {size:,} bytes, expected at most {most:,}{fixed_by}")
    return content


def kind_of_file(mode: int) -> str:
    """Return the kind of a file that is not regular, by its mode."""
    return _KINDS.get(stat.S_IFMT(mode), "not a regular file")
