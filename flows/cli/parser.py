"""The parser of a command line: the parameters of a function, in groups, and `--json`.

It imports neither Prefect nor what a flow's body needs, so that `--help` answers at once.
"""

import inspect
from collections.abc import Callable
from typing import Annotated, Any

from cyclopts import App, Parameter

from flows.parameters.groups import ARGUMENTS, OUTPUT, OUTPUT_GROUP

JsonFlag = Annotated[
    bool,
    OUTPUT,
    Parameter(name="--json", help="Print the summary as one JSON object, on the last line."),
]
Run = Callable[[inspect.BoundArguments, bool], Any]


def make_parser(function: Callable[..., Any], usage: str, run: Run | None = None) -> App:
    """Return the parser of a command, with the parameters and the docstring of a function.

    `usage` is what a user types before the parameters, such as `python -m flows.extract`.
    It calls `run` with the function's arguments and with whether `--json` was given. Without a
    `run` it calls the function itself, and there is no `--json`.
    """
    app = App(
        name=usage,
        version_flags=(),
        default_parameter=Parameter(
            negative_bool=(), negative_iterable=(), show_default=_shown_default
        ),
        group_arguments=ARGUMENTS,
        group_parameters=ARGUMENTS,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    app["--help"].group = (OUTPUT_GROUP,)
    app.default(_with_json(function, run) if run else function)
    return app


def _shown_default(value: object) -> str | None:
    """Return a default as shown in the help; None for one that a reader expects."""
    if value is None or value is False or value in ([], ()):
        return None
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _with_json(function: Callable[..., Any], run: Run) -> Callable[..., Any]:
    """Return a function with the parameters of another and `--json`, for cyclopts to call."""

    def parsed(*arguments: Any, as_json: JsonFlag = False, **parameters: Any) -> Any:  # noqa: ANN401
        given = signature.bind(*arguments, **parameters)
        given.apply_defaults()
        return run(given, as_json)

    signature = inspect.signature(function)
    as_json = inspect.signature(parsed).parameters["as_json"]
    own = [*signature.parameters.values(), as_json]
    parsed.__signature__ = signature.replace(parameters=own)  # type: ignore[attr-defined]
    parsed.__doc__ = function.__doc__
    parsed.__annotations__ = {parameter.name: parameter.annotation for parameter in own}
    return parsed
