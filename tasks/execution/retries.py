"""What is worth a second try, and how soon."""

from typing import Any

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun

from stores.errors import StoreError
from tasks.errors import InputError

DELAYS = (1.0, 2.0, 4.0)  # seconds before each further try
JITTER = 0.5  # a wait is longer by up to this share of it


def can_succeed_later(error: object) -> bool:
    """Tell whether a second try can succeed: after a failure of input or output, and no other."""
    hopeless = StoreError | InputError | PermissionError
    return isinstance(error, OSError) and not isinstance(error, hopeless)


def is_worth_a_retry(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Return whether a retry of a failed task can succeed, for Prefect."""
    return can_succeed_later(state.result(raise_on_failure=False))


# The options of a task. Prefect stores no results, because the stores decide what is computed. A
# result file names the serializer that reads it (and JSON's may name any function), so that a file
# planted in PREFECT_HOME would be run as a pickle, whatever the options of a task.
RETRIED: dict[str, Any] = {
    "retries": len(DELAYS),
    "retry_delay_seconds": list(DELAYS),
    "retry_jitter_factor": JITTER,
    "retry_condition_fn": is_worth_a_retry,
    "cache_policy": NO_CACHE,
    "persist_result": False,
}
