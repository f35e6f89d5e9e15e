"""How a long computation is told to end early: after the batch at hand, and not the whole shard."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType

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
