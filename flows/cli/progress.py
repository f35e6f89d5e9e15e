"""How far a long computation is: a bar on a terminal, a plain line now and then elsewhere."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TextIO

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


class RateColumn(ProgressColumn):
    """Images, or heads, per second, as of the last half a minute."""

    def render(self, task: Task) -> Text:
        """Return the rate as text."""
        return Text(f"{_rate(task.speed)} {task.fields['noun']}/s" if task.speed else "")


Start = Callable[[int, str, str], None]
Display = tuple[Start, Callable[[int], None]]  # how many of what begin; how many more are done
_announced: list[Start] = []


@contextmanager
def shown_progress(stream: TextIO) -> Iterator[None]:
    """In the block, show on `stream` what `announce` and `advance` report."""
    console = Console(file=stream)
    show = _bar if console.is_terminal else _lines
    with shown_by(show(console)):
        yield


@contextmanager
def shown_by(display: AbstractContextManager[Display]) -> Iterator[None]:
    """In the block, hand a display what `announce` and `advance` report."""
    with display as (start, advance), watched(advance):
        _announced.append(start)
        try:
            yield
        finally:
            _announced.remove(start)


def announce(count: int, *, doing: str = "extracting", noun: str = "images") -> None:
    """Say how many images, or other things, are going to be worked on."""
    for start in tuple(_announced):
        start(count, doing, noun)


@contextmanager
def _bar(console: Console) -> Iterator[Display]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bars: list[Any] = []

        def start(count: int, doing: str, noun: str) -> None:
            bars[:] = [progress.add_task(doing, total=count, noun=noun)]

        def advance(count: int) -> None:
            if bars:
                progress.advance(bars[0], count)

        yield start, advance


@contextmanager
def _lines(console: Console) -> Iterator[Display]:
    lock = threading.Lock()
    state = {"total": 0.0, "done": 0.0, "began": 0.0, "shown": 0.0}
    words = {"doing": "", "noun": ""}

    def start(count: int, doing: str, noun: str) -> None:
        now = time.monotonic()
        state.update(total=count, done=0, began=now, shown=now)
        words.update(doing=doing, noun=noun)

    def advance(count: int) -> None:
        with lock:
            state["done"] += count
            now = time.monotonic()
            finished = state["done"] >= state["total"]
            if now - state["shown"] < SECONDS_BETWEEN_LINES and not finished:
                return
            state["shown"] = now
            rate = state["done"] / max(now - state["began"], 1e-9)
            left = (state["total"] - state["done"]) / rate
            console.print(
                f"{words['doing']}: {state['done']:.0f} of {state['total']:.0f} {words['noun']}, "
                f"{_rate(rate)} {words['noun']}/s, {left:.0f} s left",
                highlight=False,
            )

    yield start, advance


def _rate(speed: float) -> str:
    return f"{speed:,.0f}" if speed >= 10 else f"{speed:.1f}"
