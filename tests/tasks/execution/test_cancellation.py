"""What was started in a block stops when the block fails, and not before."""

import contextvars
import signal
import threading

import pytest

from tasks.execution.cancellation import (
    StoppedEarly,
    interrupts_later,
    stop_if_requested,
    stopped_with_this,
)


def in_thread(ready, go, told):
    ready.set()
    go.wait(10)
    try:
        stop_if_requested()
        told.append("went on")
    except StoppedEarly:
        told.append("stopped")


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, None])
def test_a_thread_stops_where_its_block_failed(error):
    ready, go, told = threading.Event(), threading.Event(), []
    try:
        with stopped_with_this():
            context = contextvars.copy_context()
            thread = threading.Thread(target=context.run, args=(in_thread, ready, go, told))
            thread.start()
            ready.wait(10)
            if error:
                raise error
    except (KeyboardInterrupt, ValueError):
        pass
    go.set()
    thread.join()
    assert told == ["stopped" if error else "went on"]
    stop_if_requested()


def test_nobody_has_to_ask():
    stop_if_requested()


def test_an_interrupt_waits_for_the_end_of_a_block():
    def block():
        with interrupts_later():
            signal.raise_signal(signal.SIGINT)
            done.append(True)

    done = []
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            block()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert done == [True]
