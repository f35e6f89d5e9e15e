"""Memory that is freed, but which the allocators keep for themselves."""

import ctypes
import os

import pyarrow as pa

_ARENA_MAX = -8  # M_ARENA_MAX of glibc's malloc.h, for `mallopt`


def give_back() -> None:
    """Give it back to the system: a network that is loaded next takes other memory.

    The system's pool stands for C's allocator, with its remains of TensorFlow's and Python's.
    """
    for pool in (pa.default_memory_pool(), pa.system_memory_pool()):
        pool.release_unused()


def use_few_arenas() -> None:
    """Let C's allocator have an arena a core, unless the user has chosen; for a whole process.

    By its own choice glibc has eight a core, and each keeps what it once needed: of 400,000 tiny
    images 60 MiB more. Other C libraries have no such number.
    """
    if "MALLOC_ARENA_MAX" not in os.environ:
        set_option = getattr(ctypes.CDLL(None), "mallopt", None)
        if set_option:
            set_option(_ARENA_MAX, os.cpu_count() or 1)
