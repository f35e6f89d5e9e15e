"""A step: a pure function that is a Prefect task within a flow's run, and elsewhere a plain call.

`without_prefect` is for callers from Python, and for commands that need no server: in its block
each step runs in this process, with the same retries, and no Prefect server is contacted. Prefect,
whose import takes seconds, is then not imported.
"""

import inspect
import random
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import cached_property, partial, wraps
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast

from tasks.execution.retries import DELAYS, JITTER, can_succeed_later

if TYPE_CHECKING:
    from prefect import Task
    from prefect.client.schemas.objects import State

P = ParamSpec("P")
R = TypeVar("R")

# The threads that submitted steps run in, where Prefect runs none.
_threads: ContextVar[ThreadPoolExecutor | None] = ContextVar("gargalo_threads", default=None)


@contextmanager
def without_prefect(threads: int = 2) -> Iterator[None]:
    """Run the steps in the block as plain calls; those that are submitted run in threads."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix="gargalo")
    entered = _threads.set(pool)
    try:
        yield
    finally:
        _threads.reset(entered)
        pool.shutdown(cancel_futures=True)


def is_without_prefect() -> bool:
    """Tell whether steps are plain calls here."""
    return _threads.get() is not None


class Step(Generic[P, R]):
    """A pure function, `fn`: a Prefect task, and a plain call in a block of `without_prefect`."""

    def __init__(self, function: Callable[P, Any], options: dict[str, Any]) -> None:
        self.fn, self._options = function, options

    @cached_property
    def prefect(self) -> "Task[P, R]":
        """The Prefect task, which is made when it is first needed."""
        from tasks.execution.prefect_tasks import made_task

        return made_task(self.fn, self._options)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the step and return its result."""
        if _threads.get() is None:
            return self.prefect(*args, **kwargs)
        return self._plainly(*args, **kwargs)

    def submit(self, *args: P.args, **kwargs: P.kwargs) -> Any:  # noqa: ANN401
        """Start the step in a thread; return its future, which has `result()`."""
        pool = _threads.get()
        if pool is None:
            return self.prefect.submit(*args, **kwargs)
        return pool.submit(copy_context().run, partial(self._plainly, *args, **kwargs))

    def with_options(self, **options: Any) -> "Step[P, R]":  # noqa: ANN401
        """Return the same step with other options."""
        return Step(self.fn, self._options | options)

    def _plainly(self, *args: Any, **kwargs: Any) -> R:  # noqa: ANN401
        work: Callable[..., R] = inspect.unwrap(self.fn)
        return _retried(
            partial(
                work, *map(_bare, args), **{name: _bare(value) for name, value in kwargs.items()}
            )
        )


def task(**options: Any) -> Callable[[Callable[P, R]], Step[P, R]]:  # noqa: ANN401
    """Turn a pure function into a step, as Prefect's decorator of that name; it is retried."""
    return lambda function: Step(function, options)


def quote(value: R) -> R:
    """Return a step's argument so that Prefect does not look for futures in it, with its type.

    Prefect hands the step the value itself; to look through a manifest of many images takes longer
    than the step.
    """
    if is_without_prefect():
        return value
    from prefect.utilities.annotations import quote as prefect_quote

    return cast(R, prefect_quote(value))


def shown_as_cached(
    work: Callable[P, R], *, if_stored: Callable[P, bool]
) -> "Callable[P, R | State[R]]":
    """Return a task's function: `work`, in the state Cached where the store has its outcome.

    `if_stored` gets the arguments of `work`, before it is called. A plain call is of `work` alone.
    """

    @wraps(work)
    def shown(*arguments: P.args, **options: P.kwargs) -> "R | State[R]":
        from prefect.states import Completed

        stored = if_stored(*arguments, **options)
        outcome = work(*arguments, **options)
        return Completed(name="Cached", data=outcome) if stored else outcome

    return shown


def _bare(argument: Any) -> Any:  # noqa: ANN401
    """Return an argument without the mark that is for Prefect."""
    if "prefect" not in sys.modules:
        return argument
    from prefect.utilities.annotations import BaseAnnotation

    return argument.unwrap() if isinstance(argument, BaseAnnotation) else argument


def _retried(work: Callable[[], R]) -> R:
    """Call `work`, and again, as Prefect does, after a failure that may be over by then."""
    for seconds in DELAYS:
        try:
            return work()
        except OSError as error:
            if not can_succeed_later(error):
                raise
        time.sleep(seconds * (1 + JITTER * random.random()))  # noqa: S311  no secret
    return work()
