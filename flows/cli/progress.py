"""How far a long computation is: a bar on a terminal, a plain line now and then elsewhere."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from tasks.execution.progress import watched

SECONDS_BETWEEN_LINES = 5.0
Advance = Callable[[int], None]  # called with how many more are done
Start = Callable[[int, str, str], Advance]  # called with how many of what begin
_announced: list[Callable[[int, str, str], None]] = []


class RateColumn(ProgressColumn):
    """Images, or heads, per second, as of the last half a minute."""

    def render(self, task: Task) -> Text:
        """Return the rate as text."""
        return Text(f"{_rate(task.speed)} {task.fields['noun']}/s" if task.speed else "")


class Paced:
    """How many of a total are done; `show` is called every so many seconds, and at the end."""

    def __init__(self, total: int, seconds_between: float, show: Callable[[], None]) -> None:
        self.total, self.done = total, 0
        self._between, self._show = seconds_between, show
        self._began = self._shown = time.monotonic()
        self._lock = threading.Lock()

    def advance(self, count: int) -> None:
        """Count what more is done; called from any thread."""
        with self._lock:
            self.done += count
            now = time.monotonic()
            if now - self._shown >= self._between or self.done >= self.total:
                self._shown = now
                self._show()

    @property
    def seconds(self) -> float:
        """The time from the beginning to when it was last shown."""
        return self._shown - self._began

    @property
    def rate(self) -> float:
        """How many were done per second until then."""
        return self.done / max(self.seconds, 1e-9)


@contextmanager
def shown_progress(stream: TextIO) -> Iterator[None]:
    """In the block, show on `stream` what `announce` and `advance` report."""
    console = Console(file=stream)
    if not console.is_terminal:
        with shown_by(partial(_lines, console)):
            yield
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress, shown_by(partial(_bar, progress)):
        yield


@contextmanager
def shown_by(start: Start) -> Iterator[None]:
    """In the block, start a display for what `announce` reports, and hand it each `advance`."""
    latest: list[Advance] = []

    def begin(count: int, doing: str, noun: str) -> None:
        latest[:] = [start(count, doing, noun)]

    def advance(count: int) -> None:
        for one in tuple(latest):
            one(count)

    with watched(advance):
        _announced.append(begin)
        try:
            yield
        finally:
            _announced.remove(begin)


def announce(count: int, *, doing: str = "extracting", noun: str = "images") -> None:
    """Say how many images, or other things, are going to be worked on."""
    for begin in tuple(_announced):
        begin(count, doing, noun)


def _bar(progress: Progress, total: int, doing: str, noun: str) -> Advance:
    return partial(progress.advance, progress.add_task(doing, total=total, noun=noun))


def _lines(console: Console, total: int, doing: str, noun: str) -> Advance:
    def show() -> None:
        left = (total - paced.done) / paced.rate
        console.print(
            f"{doing}: {paced.done} of {total} {noun}, {_rate(paced.rate)} {noun}/s, "
            f"{left:.0f} s left",
            highlight=False,
        )

    paced = Paced(total, SECONDS_BETWEEN_LINES, show)
    return paced.advance


def _rate(speed: float) -> str:
    return f"{speed:,.0f}" if speed >= 10 else f"{speed:.1f}"
