"""Pillow's warnings, and libtiff's lines on standard error, are not shown while images are read."""

import ctypes
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache

from PIL import _imaging

_lock = threading.Lock()
_readers = 0
_ignoring = ExitStack()


@contextmanager
def quiet() -> Iterator[None]:
    """Ignore warnings in this block.

    Python's filters belong to the whole program, so that the first of several threads sets them
    and the last brings the earlier ones back.
    """
    global _readers  # noqa: PLW0603
    with _lock:
        _readers += 1
        if _readers == 1:
            _ignoring.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
    try:
        yield
    finally:
        with _lock:
            _readers -= 1
            if not _readers:
                _ignoring.close()


@cache
def silence_libtiff() -> None:
    """Stop libtiff from printing what is wrong with a file; Pillow raises an error for it."""
    with suppress(OSError, AttributeError):  # a libtiff that is a part of Pillow itself
        ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)
