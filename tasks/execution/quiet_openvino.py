"""OpenVINO, imported without its telemetry, and its one core. No other module imports it.

At its import, and at each conversion, it would write an identity for the user to the home folder,
and report to Google Analytics. A program that has imported OpenVINO before keeps it as it is.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def without_telemetry() -> Iterator[None]:
    """Let what is imported in the block find no package of telemetry."""
    name = "openvino_telemetry"
    before = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment] # its import fails: then a stub is used
    try:
        yield
    finally:
        sys.modules.pop(name)
        if before is not None:
            sys.modules[name] = before


with without_telemetry():
    import openvino as ov
    import openvino.tools.ovc

# The only one of a process. The plugin for CPUs of each core gives a thread another stack for
# signals and, at its end, the one that was there before. Where two cores end in the order in which
# they began, that one is gone: the next signal, as of Ctrl-C, kills the process (OpenVINO 2026.4).
CORE = ov.Core()

# The first array that OpenVINO gets takes a lock of its bindings, and then Python's. If two threads
# did this at the same time, they would wait for each other forever: it is done here, once.
ov.Tensor(np.zeros(1, np.float32))

__all__ = ["CORE", "ov"]
