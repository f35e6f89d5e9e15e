"""A flow that has a server wherever it is called from: the command line, Python or a notebook."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import Flow
from prefect.context import FlowRunContext

from flows.orchestration.prefect_server import prefect_server

P = ParamSpec("P")
R = TypeVar("R")


class ServedFlow(Flow[P, R]):
    """A Prefect flow; a call of it starts a temporary server as the commands do.

    Within another flow, and where a worker runs it, there is a server already.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  as Prefect has it
        """Run the flow and return its result."""
        if FlowRunContext.get():
            return super().__call__(*args, **kwargs)
        with prefect_server():
            return super().__call__(*args, **kwargs)

    def with_options(self, **options: Any) -> "ServedFlow[P, R]":  # noqa: ANN401
        """Return the same flow with other options."""
        changed = super().with_options(**options)
        changed.__class__ = type(self)  # Prefect makes a plain Flow
        return changed  # type: ignore[return-value]


def flow(**options: Any) -> Callable[[Callable[P, R]], ServedFlow[P, R]]:  # noqa: ANN401
    """Turn a function into a flow, as Prefect's decorator of that name."""
    return lambda function: ServedFlow(function, **options)
