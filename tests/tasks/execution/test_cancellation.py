"""What was started in a block stops when the block fails, and not before."""

import contextvars
import threading

import pytest

from tasks.execution.cancellation import StoppedEarly, stop_if_requested, stopped_with_this


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
