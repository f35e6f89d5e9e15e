"""What reaches a terminal: no name acts on it, and every encoding can write every name."""

import io
import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, TextIO

from stores.visible import all_visible


def open_what_is_closed() -> None:
    """Have standard input, output and error lead nowhere where they are closed, as by `>&-`.

    Else the next file that is opened takes the number, and what libraries say goes into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # it gets the lowest number that is free
            os.set_inheritable(opened, True)  # noqa: FBT003  it has no name
    sys.stdout = sys.stdout or _writing_to(1)
    sys.stderr = sys.stderr or _writing_to(2)


def _writing_to(number: int) -> TextIO:
    raw = io.FileIO(number, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", line_buffering=True)


def write_any_name() -> None:
    r"""Have output whose encoding has no such letter write its number, as `\u65e5`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def with_visible_names(tell: Callable[[dict[str, Any]], str]) -> Callable[[dict[str, Any]], str]:
    """Return what makes text of a summary, so that control characters in names are written out."""

    @wraps(tell)
    def shown(summary: dict[str, Any]) -> str:
        return tell(all_visible(summary))

    return shown
