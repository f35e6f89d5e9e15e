"""The commands as functions: `gargalo.extract("photos", image_size=160)`.

Each is made of its flow: the flow's body, called without Prefect, with its parameters as keyword
arguments.
"""

import inspect
from collections.abc import Callable, Iterator
from functools import cache
from inspect import Parameter, Signature
from pkgutil import resolve_name
from typing import Any

from pydantic import BaseModel

from flows.orchestration.plain_call import call_plainly
from flows.orchestration.served_flow import ServedFlow
from gargalo.keywords import (
    StrPath,
    documentation_of,
    keywords_of,
    public_type,
    read,
    read_argument,
    without_flags,
)
from gargalo.public_names import functions


@cache
def function_of(name: str) -> Callable[..., Any]:
    """Return the function of that name, which is that of a flow, in the module of a command."""
    flow: ServedFlow[..., Any] = resolve_name(f"flows.{functions()[name].name}:{name}")
    own = inspect.signature(flow.fn, eval_str=True)
    *positional, last = own.parameters.values()
    model: type[BaseModel] = last.annotation
    signature = Signature([*map(_shown, positional), *keywords_of(model)])

    def function(*arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401  as the signature has it
        given = _bound(name, arguments, keywords, positional)
        parameters = read(model, {n: v for n, v in keywords.items() if n not in given})
        values = {p.name: read_argument(p, given[p.name]) for p in positional if p.name in given}
        return call_plainly(flow, **values, parameters=parameters)

    function.__signature__ = signature.replace(return_annotation=own.return_annotation)  # type: ignore[attr-defined]
    function.__name__ = function.__qualname__ = name
    function.__module__ = "gargalo"
    function.__doc__ = "\n".join(_documentation(name, flow, model))
    return function


def _shown(parameter: Parameter) -> Parameter:
    """Return a positional argument of a flow as it is from Python."""
    plain = StrPath if parameter.annotation is str else public_type(parameter.annotation)
    return parameter.replace(annotation=plain)


def _bound(
    name: str, arguments: tuple[Any, ...], keywords: dict[str, Any], known: list[Parameter]
) -> dict[str, Any]:
    """Return the positional arguments by name; raises TypeError as a call of a function does."""
    own = {p.name: keywords[p.name] for p in known if p.name in keywords}
    signature = Signature(known)
    try:
        return dict(signature.bind(*arguments, **own).arguments)
    except TypeError as error:
        raise TypeError(f"{name}() {error}") from None


def _documentation(name: str, flow: ServedFlow[..., Any], model: type[BaseModel]) -> Iterator[str]:
    text, _, arguments = inspect.cleandoc(flow.fn.__doc__ or "").partition("\nArgs:\n")
    yield f"{text.strip()}\n\nArgs:"
    yield without_flags(arguments.partition("    parameters:")[0].rstrip())
    yield from (f"    {line}" for line in documentation_of(model))
    yield "\nRaises:"
    yield "    InputError: Something given cannot be used; the message says what to do."
    yield "    StoreError: Something about the store is wrong."
    yield "\nExample:"
    yield from (f"    >>> {line}" for line in functions()[name].example)
