"""Cancellation of a long computation: it stops after the current batch."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_requested: ContextVar[threading.Event | None] = ContextVar("gargalo_stop", default=None)


class StoppedEarly(Exception):
    """A computation was cancelled, because nobody waits for its result any more."""


@contextmanager
def stopped_with_this() -> Iterator[None]:
    """Cancel the computations that were started in the block, if it ends in an error.

    An interrupt counts as an error. Prefect passes the context on to the threads of its tasks.
    """
    requested = threading.Event()
    token = _requested.set(requested)
    try:
        yield
    except BaseException:
        requested.set()
        raise
    finally:
        _requested.reset(token)


def stop_if_requested() -> None:
    """Raise StoppedEarly if this computation was cancelled."""
    requested = _requested.get()
    if requested is not None and requested.is_set():
        raise StoppedEarly("stopped early; finished shards are kept")
