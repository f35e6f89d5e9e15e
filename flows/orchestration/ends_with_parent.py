"""A program that ends when its parent does, even where that is killed: `python FILE MODULE …`.

Runs a module as `python -m` does. Standard input is a pipe that the parent holds open and never
writes to: at its end the parent is gone. That is portable, and unlike Linux's PR_SET_PDEATHSIG does
not depend on the thread that started the program. It imports nothing of this project.
"""

import os
import runpy
import signal
import sys
import threading
import time

_GRACE_SECONDS = 3.0  # in which a server closes its database


def _end_with_parent() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
