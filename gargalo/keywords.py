"""A flow's parameters as keyword arguments: their types, their documentation, their mistakes."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from inspect import Parameter
from operator import or_
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from flows.parameters.values import AS_TEXT
from tasks.errors import InputError, unknown, what_is_wrong

Model = TypeVar("Model", bound=BaseModel)
StrPath = str | os.PathLike[str]
# These are for who computes elsewhere, which takes a Prefect server.
_BY_COMMAND = {"runner", "dask_address"}
_STORES = {"store", "other"}  # given by a folder or an address
_GRID = Mapping[str, Sequence[Any]] | str | Sequence[str]
_FLAG = re.compile(r"--([a-z][a-z0-9-]*)")


def keywords_of(model: type[BaseModel]) -> list[Parameter]:
    """Return the keyword arguments that a flow's parameters are from Python."""
    defaults = model().model_dump(mode="json")
    return [
        Parameter(
            name, Parameter.KEYWORD_ONLY, default=defaults[name], annotation=_type_of(name, field)
        )
        for name, field in model.model_fields.items()
        if name not in _BY_COMMAND
    ]


def _type_of(name: str, field: FieldInfo) -> Any:  # noqa: ANN401  types
    if name in _STORES or AS_TEXT in field.metadata:
        return StrPath if field.default is not None else StrPath | None
    if name == "grid" and _is_list(field.annotation):
        return _GRID
    return public_type(field.annotation)


def documentation_of(model: type[BaseModel]) -> Iterator[str]:
    """Yield a line about each keyword argument."""
    for name, field in model.model_fields.items():
        if name not in _BY_COMMAND:
            about = without_flags(field.description or "")
            yield f"{name}: {about.replace('may be repeated', 'or a list of them')}"


def without_flags(text: str) -> str:
    """Return a text about flags with keywords in their places: `image_size`, not `--image-size`."""
    return _FLAG.sub(lambda flag: flag[1].replace("-", "_"), text)


def public_type(annotation: Any) -> Any:  # noqa: ANN401  types
    """Return the type that a value may have from Python: a path as text, one value of a list."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return public_type(arguments[0])
    if origin in {Union, UnionType}:
        return reduce(or_, map(public_type, arguments))
    if origin in {list, tuple}:
        one = public_type(arguments[0])
        several: Any = Sequence
        return one | several[one]
    return StrPath if annotation is Path else annotation


def read(model: type[Model], given: Mapping[str, Any]) -> Model:
    """Return a flow's parameters; raises InputError, which names a keyword and what is wrong."""
    known = [parameter.name for parameter in keywords_of(model)]
    for name in given:
        if name in _BY_COMMAND & set(model.model_fields):
            raise InputError(
                f"{name}: only for the command `gargalo`; from Python, this process computes"
            )
        if name not in known:
            raise unknown("keyword", name, known)
    # None is the default wherever it is allowed: the keyword was not given.
    values = {name: value for name, value in given.items() if value is not None}
    plain = {n: _plain(v, model.model_fields[n].annotation) for n, v in values.items()}
    try:
        return model(**plain)
    except ValidationError as error:
        raise _mistakes(error) from None


def read_argument(parameter: Parameter, value: Any) -> Any:  # noqa: ANN401  any argument
    """Return a positional argument as a flow takes it; raises InputError."""
    annotation = parameter.annotation
    try:
        return TypeAdapter(annotation).validate_python(_plain(value, annotation))
    except ValidationError as error:
        raise _mistakes(error, parameter.name) from None


def _mistakes(error: ValidationError, name: str = "") -> InputError:
    """Return pydantic's mistakes as one error; those of several arguments name them."""
    mistakes_found = []
    for mistake in error.errors():
        where = ".".join(map(str, (*([name] if name else []), *mistake["loc"])))
        of_several = mistake["msg"].removeprefix("Value error, ")
        mistakes_found.append(f"{where}: {what_is_wrong(mistake)}" if where else of_several)
    return InputError("; ".join(mistakes_found))


def _plain(value: Any, annotation: Any) -> Any:  # noqa: ANN401
    """Return a value as the parameters take it: one value as a list of it, a grid as its flags."""
    plain = _path_as_text(value)
    if not _is_list(annotation):
        return plain
    if isinstance(plain, Mapping):
        return [f"{name}={','.join(map(_in_grid, values))}" for name, values in plain.items()]
    one = isinstance(plain, str) or not isinstance(plain, Iterable)
    return [plain] if one else list(map(_path_as_text, plain))


def _path_as_text(value: Any) -> Any:  # noqa: ANN401
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _is_list(annotation: Any) -> bool:  # noqa: ANN401
    several = [annotation, *get_args(annotation)]
    return any(get_origin(one) in {list, tuple} for one in several)


def _in_grid(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, list | tuple):  # layers
        return "x".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
