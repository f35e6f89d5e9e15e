"""Memory that is freed, but which the allocators keep for themselves."""

import pyarrow as pa


def give_back() -> None:
    """Give it back to the system: a network that is loaded next takes other memory.

    The system's pool stands for C's allocator, with its remains of TensorFlow's and Python's.
    """
    for pool in (pa.default_memory_pool(), pa.system_memory_pool()):
        pool.release_unused()
