"""How a long computation is told to end early: after the batch at hand, and not the whole shard."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_asked: ContextVar[threading.Event | None] = ContextVar("gargalo_stop", default=None)


class StoppedEarly(Exception):
    """A computation ended because whoever waited for it does so no more."""


@contextmanager
def stopped_with_this() -> Iterator[None]:
    """Where this block ends in an error or an interrupt, stop what was started in it.

    Prefect hands the context on to the threads of its tasks.
    """
    asked = threading.Event()
    token = _asked.set(asked)
    try:
        yield
    except BaseException:
        asked.set()
        raise
    finally:
        _asked.reset(token)


def stop_if_asked() -> None:
    """Raise StoppedEarly where somebody asked this computation to stop."""
    asked = _asked.get()
    if asked is not None and asked.is_set():
        raise StoppedEarly("stopped early; finished shards are kept")
