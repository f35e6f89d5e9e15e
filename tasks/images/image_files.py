"""Image files are opened here, and nowhere else: what is no regular file is not waited for."""

import os
import stat
from pathlib import Path

from tasks.errors import InputError

# Twice Pillow's warning limit, where Pillow too refuses: 178,956,970 pixels of 3 bytes are half a
# gigabyte.
LARGEST_PIXELS = 2 * 89_478_485
LARGEST_BYTES = 4 * LARGEST_PIXELS  # of a file; none that holds them uncompressed is larger
_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


def read_image(path: Path | str) -> bytes:
    """Return the bytes of an image file.

    Raises OSError where it cannot be read; InputError where it is a pipe or a device, which may
    have no end and no beginning, or larger than any image.
    """
    # Without waiting for whoever writes into a pipe; of a regular file it means nothing.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise InputError(f"{kind_of_file(about.st_mode)}, expected a regular file")
        if about.st_size <= LARGEST_BYTES:
            with open(descriptor, "rb", closefd=False) as file:
                content = file.read(LARGEST_BYTES + 1)
            if len(content) <= LARGEST_BYTES:
                return content
    finally:
        os.close(descriptor)
    raise InputError(
        f"refused before decoding: a file of {about.st_size} bytes, expected at most "
        f"{LARGEST_BYTES // 1_000_000} MB; scale the image down"
    )


def kind_of_file(mode: int) -> str:
    """Return what a file that is not regular is, by its mode."""
    return _KINDS.get(stat.S_IFMT(mode), "no regular file")
