"""A flow as a plain function: the same body, without a run of Prefect's and without a server."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TextIO, TypeVar

from flows.cli.notebook_bar import in_notebook, notebook_bar
from flows.cli.progress import shown_by, shown_progress
from flows.cli.stderr_filter import quiet_tensorflow
from flows.orchestration.served_flow import ServedFlow
from tasks.execution.steps import without_prefect

R = TypeVar("R")
_standard_error = threading.Lock()


def call_plainly(flow: ServedFlow[..., R], *arguments: Any, **keywords: Any) -> R:  # noqa: ANN401
    """Return what a flow's body returns; its steps are plain calls in this process.

    It prints nothing but a progress bar, where standard error is a terminal or in a notebook.
    """
    body: Callable[..., R] = flow.fn
    with _shown(), without_prefect():
        return body(*arguments, **keywords)


@contextmanager
def _shown() -> Iterator[None]:
    """Keep TensorFlow quiet in the block, and show progress.

    Of calls in several threads the first does: standard error is the process's, and two that turn
    it aside would not turn it back in order.
    """
    if not _standard_error.acquire(blocking=False):
        yield
        return
    try:
        shown = _is_terminal()
        with _quiet() as stream, _bar(stream if shown else None):
            yield
    finally:
        _standard_error.release()


def _quiet() -> AbstractContextManager[TextIO | None]:
    try:
        os.fstat(2)
    except OSError:  # it is closed
        return nullcontext()
    return quiet_tensorflow()


def _is_terminal() -> bool:
    """Return whether standard error is a terminal, as people and as programs see it."""
    return bool(sys.stderr) and sys.stderr.isatty() and os.isatty(2)


def _bar(stream: TextIO | None) -> AbstractContextManager[None]:
    if in_notebook():
        return shown_by(notebook_bar)
    return shown_progress(stream) if stream else nullcontext()
