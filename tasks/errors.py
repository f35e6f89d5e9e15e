"""What a person can mend: input that a task cannot use."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any


class InputError(ValueError):
    """Something that the user gave cannot be used; the message says what, where and the way out.

    Example:
        >>> try:
        ...     gargalo.extract("photos", imge_size=160)
        ... except gargalo.InputError as error:
        ...     print(error)
        unknown keyword 'imge_size': did you mean image_size?
    """


class WeightsError(InputError):
    """Weights are missing, damaged, or those of another architecture."""


class UndecodableImage(InputError):
    """The bytes of an image file cannot be decoded; that costs this image only."""


class ExtractionError(RuntimeError):
    """An engine failed, or gave features that cannot be trusted; nothing of it was stored.

    Example:
        >>> try:
        ...     gargalo.extract("photos", weights="broken.h5")
        ... except gargalo.ExtractionError as error:
        ...     print(error)
    """


def what_is_wrong(mistake: Mapping[str, Any]) -> str:
    """Return one of pydantic's mistakes in words: what was expected, and what came."""
    lists = {"tuple_type", "list_type"}
    message = "expected a list" if mistake["type"] in lists else mistake["msg"]
    message = message.removeprefix("Value error, ")
    return f"{message}. Received: {mistake['input']!r}"


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Return the names that are most like one that does not exist, if any are."""
    return get_close_matches(name, sorted(known), n=3, cutoff=0.6)


def unknown(kind: str, name: str, known: Iterable[str], *, way_out: str = "") -> InputError:
    """Return the error for a name that does not exist, with the names nearest to it."""
    names = sorted(known)
    near = nearest(name, names)
    shown = ", ".join(names[:50]) + (", …" if len(names) > 50 else "")
    hint = f"did you mean {' or '.join(near)}?" if near else f"one of {shown}"
    return InputError(f"unknown {kind} {name!r}: {hint}{f' ({way_out})' if way_out else ''}")
