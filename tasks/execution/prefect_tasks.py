"""Steps as Prefect tasks: what Prefect keeps of them, and when it tries them again."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun

from tasks.execution.retries import DELAYS, JITTER, can_succeed_later

P = ParamSpec("P")
R = TypeVar("R")


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


def made_task(function: Callable[P, Any], options: dict[str, Any]) -> Task[P, Any]:
    """Return a function as a Prefect task, which is retried."""
    return Task(function, **RETRIED | options)
