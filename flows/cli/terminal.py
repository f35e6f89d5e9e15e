"""Terminal input and output: closed streams, encodings, and control characters in names."""

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TextIO, TypeVar

from tasks.datasets.class_names import fault_of_names, refuse_unless_utf8
from tasks.errors import InputError

Summary = TypeVar("Summary")


def open_what_is_closed() -> None:
    """Open standard input, output and error on /dev/null if they are closed, as by `>&-`.

    Otherwise the next opened file gets the descriptor, and library output is written into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # it gets the lowest free descriptor
            os.set_inheritable(opened, True)  # noqa: FBT003  positional only
    sys.stdout = sys.stdout or _writing_to(1)
    sys.stderr = sys.stderr or _writing_to(2)


def _writing_to(number: int) -> TextIO:
    raw = io.FileIO(number, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", line_buffering=True)


def write_any_name() -> None:
    r"""Write characters that the output's encoding does not have as escapes, such as `\u65e5`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def encoding_checked(*, all_utf8: bool = False) -> Iterator[None]:
    """Raise InputError instead of the UnicodeError of a name in another encoding.

    `all_utf8`: the arguments have to be UTF-8, because a Prefect server gets them as JSON.
    """
    for argument in sys.argv[1:] if all_utf8 else []:
        refuse_unless_utf8(argument)
    try:
        yield
    except UnicodeError as error:
        if message := fault_of_names(error, sys.argv[1:]):
            raise InputError(message) from None
        raise


def with_visible_names(text: Callable[[Summary], str]) -> Callable[[Summary], str]:
    """Return a function that formats a summary, with control characters in names escaped."""
    from stores.printable import all_visible

    @wraps(text)
    def shown(summary: Summary) -> str:
        return text(all_visible(summary))

    return shown
