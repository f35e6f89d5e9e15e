"""How a pure function becomes a Prefect task: what is worth a second try, and how soon."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.states import Completed
from prefect.tasks import exponential_backoff

from stores.errors import StoreError
from tasks.errors import InputError

P = ParamSpec("P")
R = TypeVar("R")


def is_worth_a_retry(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Return whether a retry can succeed: only after a failure of input or output."""
    error: object = state.result(raise_on_failure=False)
    hopeless = StoreError | InputError | PermissionError
    return isinstance(error, OSError) and not isinstance(error, hopeless)


# The options of a task. Prefect stores no results, because the stores decide what is computed. A
# result file names the serializer that reads it (and JSON's may name any function), so that a file
# planted in PREFECT_HOME would be run as a pickle, whatever the options of a task.
RETRIED: dict[str, Any] = {
    "retries": 3,
    "retry_delay_seconds": exponential_backoff(backoff_factor=1),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": is_worth_a_retry,
    "cache_policy": NO_CACHE,
    "persist_result": False,
}


def shown_as_cached(
    work: Callable[P, R], *, if_stored: Callable[P, bool]
) -> Callable[P, R | State[R]]:
    """Return a task's function: `work`, in the state Cached where the store has its outcome.

    `if_stored` gets the arguments of `work`, before it is called.
    """

    @wraps(work)
    def shown(*arguments: P.args, **options: P.kwargs) -> R | State[R]:
        stored = if_stored(*arguments, **options)
        outcome = work(*arguments, **options)
        return Completed(name="Cached", data=outcome) if stored else outcome

    return shown
