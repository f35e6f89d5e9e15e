"""How a pure function becomes a Prefect task: what is worth a second try, and how soon."""

from typing import Any

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import exponential_backoff

from stores.errors import StoreError
from tasks.errors import InputError


def is_worth_a_retry(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Tell whether a second try can succeed: after a failure of input or output, and no other."""
    error: object = state.result(raise_on_failure=False)
    hopeless = StoreError | InputError | PermissionError
    return isinstance(error, OSError) and not isinstance(error, hopeless)


_TRIED_AGAIN: dict[str, Any] = {
    "retries": 3,
    "retry_delay_seconds": exponential_backoff(backoff_factor=1),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": is_worth_a_retry,
}
# The options of a task. Prefect caches nothing of it: the stores alone decide what is computed.
RETRIED: dict[str, Any] = _TRIED_AGAIN | {"cache_policy": NO_CACHE, "persist_result": False}
# The options of a task whose small result Prefect keeps by a `cache_key_fn`, to show it as Cached.
CACHED: dict[str, Any] = _TRIED_AGAIN | {"persist_result": True}
