"""How large a file of a store may be, before it is read: sparse ones hold next to nothing.

A file of 50 GB that takes some kB on the disk costs who made it nothing, and who reads it minutes.
"""

import errno
import os
from functools import cache

# Below that all is read in a second; and small files may take no block of their own.
_SPARSE_BYTES = 2**28
# File systems that compress, and say so, come to less: no file that is written is so empty.
_SPARSE_RATIO = 64
_MOST_PIECES = 64  # of data, with holes between them, that are looked at


def is_sparse(descriptor: int, about: os.stat_result) -> bool:
    """Return whether next to all of an open file is holes, which nobody wrote.

    Both the blocks that it takes and the file system's map of it must say so: some file systems
    tell of no blocks, and some of no holes.
    """
    size = about.st_size
    if size < _SPARSE_BYTES or about.st_blocks * 512 > size // _SPARSE_RATIO:
        return False
    written = end = 0
    try:
        for _ in range(_MOST_PIECES):
            start = os.lseek(descriptor, end, os.SEEK_DATA)
            end = os.lseek(descriptor, start, os.SEEK_HOLE)
            written += end - start
            if written > size // _SPARSE_RATIO:
                return False
    except OSError as error:
        return error.errno == errno.ENXIO  # there is no more data; else there is no such map
    finally:
        os.lseek(descriptor, 0, os.SEEK_SET)
    return True


@cache
def most_in_memory() -> int:
    """Return how many bytes of one file may be read at once: half of this machine's memory."""
    return int(os.sysconf("SC_PHYS_PAGES")) * int(os.sysconf("SC_PAGE_SIZE")) // 2
