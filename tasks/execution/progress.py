"""Where a long computation says how far it is, for whoever watches; nobody has to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

_watchers: list[Callable[[int], None]] = []


def advance(count: int) -> None:
    """Say that so many more images, or heads, are done."""
    for watcher in tuple(_watchers) if count else ():
        watcher(count)


@contextmanager
def watched(watcher: Callable[[int], None]) -> Iterator[None]:
    """Have `watcher` called, from any thread of this process, at each advance in the block."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)
