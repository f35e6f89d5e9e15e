"""How far a long computation is, as a bar in a notebook's output; no widgets are needed."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from flows.cli.progress import Display

SECONDS_BETWEEN = 0.2


def in_notebook() -> bool:
    """Tell whether this process is the kernel of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")


@contextmanager
def notebook_bar() -> Iterator[Display]:
    """Yield what shows a bar for each thing that is announced."""
    from IPython.display import HTML, display

    lock = threading.Lock()
    bars: list[_Bar] = []

    def start(count: int, doing: str, noun: str) -> None:
        if count:
            bar = _Bar(count, doing, noun)
            bar.handle = display(HTML(bar.as_html()), display_id=True)
            bars[:] = [bar]

    def advance(count: int) -> None:
        with lock:
            for bar in bars:
                bar.done += count
                if bar.is_due():
                    bar.handle.update(HTML(bar.as_html()))

    yield start, advance


class _Bar:
    def __init__(self, total: int, doing: str, noun: str) -> None:
        self.total, self.doing, self.noun = total, doing, noun
        self.done = 0
        self.handle: Any = None
        self._began = self._shown = time.monotonic()

    def is_due(self) -> bool:
        """Tell whether it is time to show it again."""
        now = time.monotonic()
        if now - self._shown < SECONDS_BETWEEN and self.done < self.total:
            return False
        self._shown = now
        return True

    def as_html(self) -> str:
        """Return the bar, with the rate since it began."""
        rate = self.done / max(self._shown - self._began, 1e-9) if self.done else 0.0
        about = f", {rate:,.1f} {self.noun}/s" if self.done else ""
        return (
            f"<div>{escape(self.doing)} <progress value='{self.done}' max='{self.total}'>"
            f"</progress> {self.done} of {self.total} {escape(self.noun)}{escape(about)}</div>"
        )
