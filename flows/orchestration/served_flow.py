"""A flow: a function that is a Prefect flow with a server wherever it is called from.

Prefect's import takes seconds. So the Prefect flow is made when it is first called as one; its body
alone, as `gargalo` and commands that need no server call it, does without. Where Prefect is there
already, as in its workers, which look for its own flows, it is made at once.
"""

import sys
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast

from flows.orchestration.first_import import import_prefect

if TYPE_CHECKING:
    from flows.orchestration.prefect_flow import PrefectFlow

P = ParamSpec("P")
R = TypeVar("R")


class ServedFlow(Generic[P, R]):
    """A function, `fn`, with the options of its Prefect flow."""

    def __init__(self, function: Callable[P, R], options: dict[str, Any]) -> None:
        self.fn, self._options = function, options
        self.__doc__, self.__module__ = function.__doc__, function.__module__

    @property
    def name(self) -> str:
        """The name of the flow."""
        return str(self._options["name"])

    @cached_property
    def prefect(self) -> "PrefectFlow[P, R]":
        """The Prefect flow."""
        return _made(self.fn, self._options)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the flow and return its result."""
        return self.prefect(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever a Prefect flow has
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.prefect, name)


def flow(**options: Any) -> Callable[[Callable[P, R]], ServedFlow[P, R]]:  # noqa: ANN401
    """Turn a function into a flow, as Prefect's decorator of that name.

    `threads` is how many steps that are submitted run at a time.
    """

    def decorated(function: Callable[P, R]) -> ServedFlow[P, R]:
        if "prefect" in sys.modules:
            return cast(ServedFlow[P, R], _made(function, options))
        return ServedFlow(function, options)

    return decorated


def _made(function: Callable[P, R], options: dict[str, Any]) -> "PrefectFlow[P, R]":
    import_prefect()
    from flows.orchestration.prefect_flow import made_flow

    return made_flow(function, options)
