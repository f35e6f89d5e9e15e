"""A flow as a plain function: standard error is as it was, whatever happens."""

import os
import pty
import sys
import threading
from select import select
from types import SimpleNamespace

import pytest

from flows.cli.progress import announce
from flows.orchestration.plain_call import call_plainly
from tasks.execution.progress import advance
from tasks.execution.steps import is_without_prefect


def flow(body):
    return SimpleNamespace(fn=body)


def target():
    """Return what standard error leads to."""
    about = os.fstat(2)
    return about.st_dev, about.st_ino


def test_the_body_runs_without_prefect_and_its_error_is_raised():
    before = target()
    assert call_plainly(flow(lambda a, *, b: (a, b, is_without_prefect())), 1, b=2) == (1, 2, True)
    with pytest.raises(ZeroDivisionError):
        call_plainly(flow(lambda: 1 / 0))
    assert not is_without_prefect()
    assert target() == before


def test_calls_in_several_threads_leave_standard_error_as_it_was():
    before, first, second = target(), threading.Event(), threading.Event()

    def outer():
        first.set()
        return second.wait(10)

    def inner():
        return first.wait(10)

    one = threading.Thread(target=lambda: call_plainly(flow(outer)))
    one.start()
    assert call_plainly(flow(inner))  # while the other still runs
    second.set()
    one.join()
    assert target() == before


def test_without_a_terminal_nothing_is_shown(capfd):
    call_plainly(flow(lambda: announce(3)))
    assert capfd.readouterr() == ("", "")


def test_on_a_terminal_there_is_a_bar(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    ours, terminal = pty.openpty()
    before = os.dup(2)
    os.dup2(terminal, 2)
    try:
        with open(terminal, "w", closefd=False) as stream:
            monkeypatch.setattr(sys, "stderr", stream)
            call_plainly(flow(lambda: (announce(3), advance(3))))
    finally:
        os.dup2(before, 2)
        os.close(before)
    shown = b""
    while b"3/3" not in shown and select([ours], [], [], 10)[0]:  # it comes in parts
        shown += os.read(ours, 65536)
    os.close(ours)
    os.close(terminal)
    assert b"extracting" in shown
    assert b"3/3" in shown
