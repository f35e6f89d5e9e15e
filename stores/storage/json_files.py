"""JSON files of a store: read, and each value's type checked, before anything is made of them."""

import json
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_origin, get_type_hints

from pydantic import TypeAdapter

from stores.errors import CorruptStore
from stores.storage.safe_files import read_text

Record = TypeVar("Record")
# What Python's parser, and whoever takes a value for what it is not, may raise.
ABSURD = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


# Values, or their names: each takes some hundred bytes in memory, of a text of three.
_MOST_VALUES = 2**22


def parsed(text: str) -> Any:  # noqa: ANN401  whatever JSON has
    """Return what a text in JSON says; raises ValueError, before it is parsed, on too much of it.

    Raises RecursionError where it has too many lists in lists.
    """
    if sum(map(text.count, ",:[{")) > _MOST_VALUES:
        raise ValueError(f"more than {_MOST_VALUES} values in JSON")
    return json.loads(text)


def read_object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file.

    Raises FileNotFoundError, CorruptStore where it is something else, or another OSError.
    """
    try:
        found = parsed(read_text(path))
    except CorruptStore:
        raise
    except (ValueError, RecursionError) as error:
        raise CorruptStore(f"{path}: the file is damaged: it is no JSON") from error
    if not isinstance(found, dict):
        raise CorruptStore(f"{path}: the file is damaged: expected an object")
    return found


def as_record(kind: type[Record], body: dict[str, Any], **given: Any) -> Record:  # noqa: ANN401
    """Return a dataclass of plain values from what JSON has of it.

    No value is converted, but for a list where a tuple belongs; those that are `given` are taken as
    they are. Raises ValueError where one has another type, KeyError or TypeError where the names
    are others.
    """
    values = dict[str, Any]()
    for name, value in body.items():
        validator, is_tuple = _validator(kind, name)  # type: ignore[arg-type]  # hashable
        plain = tuple(value) if is_tuple and isinstance(value, list) else value
        values[name] = validator.validate_python(plain, strict=True)
    return kind(**values | given)


@cache
def _validator(kind: type[Any], name: str) -> tuple[TypeAdapter[Any], bool]:
    """Return what checks the value of a field, and whether that is a tuple."""
    hint = get_type_hints(kind)[name]
    return TypeAdapter(hint), get_origin(hint) is tuple
