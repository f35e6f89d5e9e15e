import os
import subprocess
import sys

import pytest

# In a process of its own: an arena that is there stays. Each thread has one, as long as there may
# be more; all are there at once.
_CODE = """
import ctypes, re, sys, threading
from tasks.execution.freed_memory import use_few_arenas
use_few_arenas()
c = ctypes.CDLL(None)
c.malloc.restype, c.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
c.fopen.restype = ctypes.c_void_p
c.fclose.argtypes, c.malloc_info.argtypes = [ctypes.c_void_p], [ctypes.c_int, ctypes.c_void_p]
all_there = threading.Barrier(int(sys.argv[1]))
def allocate():
    c.malloc(1000)
    all_there.wait()
threads = [threading.Thread(target=allocate) for _ in range(int(sys.argv[1]))]
for thread in threads: thread.start()
for thread in threads: thread.join()
file = c.fopen(sys.argv[2].encode(), b"w")
c.malloc_info(0, file)
c.fclose(file)
print(open(sys.argv[2]).read().count("<heap "))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs glibc")
@pytest.mark.parametrize("chosen", [False, True])
def test_there_are_as_many_arenas_as_cores_or_as_the_user_says(tmp_path, monkeypatch, chosen):
    cores = os.cpu_count() or 1
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    if chosen:
        monkeypatch.setenv("MALLOC_ARENA_MAX", str(6 * cores))
    arguments = (str(7 * cores), str(tmp_path / "info.xml"))
    done = subprocess.run(
        [sys.executable, "-c", _CODE, *arguments], check=True, capture_output=True, text=True
    )
    # Importing NumPy and Arrow starts threads, which may have an arena already.
    assert int(done.stdout) == 6 * cores if chosen else int(done.stdout) <= 2 * cores
