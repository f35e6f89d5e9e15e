"""Where Arrow's arrays of millions of rows get their memory from."""

import os

import pyarrow as pa


def use_small_pages() -> None:
    """Let Arrow take its memory from jemalloc, unless the user or the program has chosen.

    Its own choice, mimalloc, asks the system for huge pages. In a virtual machine whose host takes
    back free ones, these cost more than to decode a table: 8 s in place of 2 s of the system's
    time for a manifest of ten million rows. And it keeps more of what is freed.
    """
    is_chosen = "ARROW_DEFAULT_MEMORY_POOL" in os.environ
    by_default = pa.default_memory_pool().backend_name == "mimalloc"
    if by_default and not is_chosen and "jemalloc" in pa.supported_memory_backends():
        pa.set_memory_pool(pa.jemalloc_memory_pool())
