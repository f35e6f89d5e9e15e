"""How far an extraction is: a bar on a terminal, a plain line now and then elsewhere."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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

from tasks.progress import watched

SECONDS_BETWEEN_LINES = 5.0


class RateColumn(ProgressColumn):
    """Images per second, as of the last half a minute."""

    def render(self, task: Task) -> Text:
        """Return the rate as text."""
        return Text(f"{task.speed:,.0f} images/s" if task.speed else "")


_announced: list[Callable[[int], None]] = []


@contextmanager
def shown_progress(stream: TextIO) -> Iterator[None]:
    """Show on `stream`, in the block, what `announce` and `tasks.progress.advance` say."""
    console = Console(file=stream)
    show = _bar if console.is_terminal else _lines
    with show(console) as (start, advance), watched(advance):
        _announced.append(start)
        try:
            yield
        finally:
            _announced.remove(start)


def announce(images: int) -> None:
    """Say how many images are going to be computed."""
    for start in tuple(_announced):
        start(images)


@contextmanager
def _bar(console: Console) -> Iterator[tuple[Callable[[int], None], Callable[[int], None]]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bars: list[Any] = []

        def start(images: int) -> None:
            bars[:] = [progress.add_task("extracting", total=images)]

        def advance(images: int) -> None:
            if bars:
                progress.advance(bars[0], images)

        yield start, advance


@contextmanager
def _lines(console: Console) -> Iterator[tuple[Callable[[int], None], Callable[[int], None]]]:
    lock = threading.Lock()
    state = {"total": 0.0, "done": 0.0, "began": 0.0, "said": 0.0}

    def start(images: int) -> None:
        now = time.monotonic()
        state.update(total=images, done=0, began=now, said=now)

    def advance(images: int) -> None:
        with lock:
            state["done"] += images
            now = time.monotonic()
            finished = state["done"] >= state["total"]
            if now - state["said"] < SECONDS_BETWEEN_LINES and not finished:
                return
            state["said"] = now
            rate = state["done"] / max(now - state["began"], 1e-9)
            left = (state["total"] - state["done"]) / rate
            console.print(
                f"extracting: {state['done']:.0f} of {state['total']:.0f} images, "
                f"{rate:.0f} images/s, {left:.0f} s left",
                highlight=False,
            )

    yield start, advance
