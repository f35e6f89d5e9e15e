"""What reaches a terminal: no name acts on it, and every encoding can write every name."""

import io
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

from stores.printable import all_visible


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
