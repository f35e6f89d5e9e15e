"""Errors that the user can fix: input that a task cannot use."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any


class InputError(ValueError):
    """The user's input cannot be used; the message has what, where and the fix.

    Example:
        >>> try:
        ...     gargalo.extract("photos", imge_size=160)
        ... except gargalo.InputError as error:
        ...     print(error)
        unknown keyword 'imge_size': did you mean image_size?
    """


class WeightsError(InputError):
    """Weights are missing, damaged, or belong to another architecture."""


class UndecodableImage(InputError):
    """An image file cannot be decoded; only this image is rejected."""


class ExtractionError(RuntimeError):
    """An engine failed, or returned invalid features; none of them were stored.

    Example:
        >>> try:
        ...     gargalo.extract("photos", weights="broken.h5")
        ... except gargalo.ExtractionError as error:
        ...     print(error)
    """


def what_is_wrong(mistake: Mapping[str, Any]) -> str:
    """Return the message of a pydantic error: what was expected, and what was received."""
    lists = {"tuple_type", "list_type"}
    message = "expected a list" if mistake["type"] in lists else mistake["msg"]
    message = message.removeprefix("Value error, ")
    return f"{message}. Received: {mistake['input']!r}"


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Return the known names that are most similar to an unknown one."""
    return get_close_matches(name, sorted(known), n=3, cutoff=0.6)


def unknown(kind: str, name: str, known: Iterable[str], *, fix: str = "") -> InputError:
    """Return the error for an unknown name, with the known names that are most similar."""
    names = sorted(known)
    near = nearest(name, names)
    shown = ", ".join(names[:50]) + (", …" if len(names) > 50 else "")
    hint = f"did you mean {' or '.join(near)}?" if near else f"expected one of {shown}"
    return InputError(f"unknown {kind} {name!r}: {hint}{f' ({fix})' if fix else ''}")
