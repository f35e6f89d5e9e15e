"""Cancellation of a long computation: it stops after the current batch."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType

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


@contextmanager
def interrupts_later() -> Iterator[None]:
    """Hold an interrupt back until the block has ended.

    For imports that cannot be done again after they were cut short: Keras is then half there, for
    as long as the process, or the notebook, lives.
    """
    waiting: list[tuple[int, FrameType | None]] = []
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, lambda *interrupt: waiting.append(interrupt))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    for interrupt in waiting[:1]:
        handler(*interrupt)
