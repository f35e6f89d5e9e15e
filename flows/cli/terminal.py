"""What comes from a terminal and reaches it: no name acts on it, in whatever encoding."""

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TextIO

from tasks.datasets.class_names import fault_of_names, refuse_unless_utf8
from tasks.errors import InputError


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


@contextmanager
def names_told(*, all_utf8: bool = False) -> Iterator[None]:
    """Raise InputError in place of an error that comes of a name in another encoding.

    `all_utf8`: the arguments have to be, for a Prefect server gets them as JSON.
    """
    for argument in sys.argv[1:] if all_utf8 else []:
        refuse_unless_utf8(argument)
    try:
        yield
    except UnicodeError as error:
        if told := fault_of_names(error, sys.argv[1:]):
            raise InputError(told) from None
        raise


def with_visible_names(tell: Callable[[dict[str, Any]], str]) -> Callable[[dict[str, Any]], str]:
    """Return what makes text of a summary, so that control characters in names are written out."""
    from stores.printable import all_visible

    @wraps(tell)
    def shown(summary: dict[str, Any]) -> str:
        return tell(all_visible(summary))

    return shown
