"""Progress of long computations, reported to any watchers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

_watchers: list[Callable[[int], None]] = []


def advance(count: int) -> None:
    """Report that `count` more images or heads are done."""
    for watcher in tuple(_watchers) if count else ():
        watcher(count)


@contextmanager
def watched(watcher: Callable[[int], None]) -> Iterator[None]:
    """Call `watcher` at each advance in the block, from any thread of this process."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)
