"""A Prefect flow that has a server: the command line's, a notebook's or a temporary one."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import Flow
from prefect.context import FlowRunContext
from prefect.task_runners import ThreadPoolTaskRunner

from flows.orchestration.prefect_server import prefect_server

P = ParamSpec("P")
R = TypeVar("R")


class PrefectFlow(Flow[P, R]):
    """A Prefect flow; a call of it starts a temporary server as the commands do.

    Within another flow, and where a worker runs it, there is a server already.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  as Prefect has it
        """Run the flow and return its result."""
        if FlowRunContext.get():
            return super().__call__(*args, **kwargs)
        with prefect_server():
            return super().__call__(*args, **kwargs)

    def with_options(self, **options: Any) -> "PrefectFlow[P, R]":  # noqa: ANN401
        """Return the same flow with other options."""
        changed = super().with_options(**options)
        changed.__class__ = type(self)  # Prefect makes a plain Flow
        return changed  # type: ignore[return-value]


def made_flow(function: Callable[P, R], options: dict[str, Any]) -> PrefectFlow[P, R]:
    """Return a function as a flow; of the options, `threads` are those of its runner."""
    own = {name: value for name, value in options.items() if name != "threads"}
    if threads := options.get("threads"):
        own["task_runner"] = ThreadPoolTaskRunner(max_workers=threads)
    return PrefectFlow(function, **own)
