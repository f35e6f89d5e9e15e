"""Checks of class names: encoding, names that look the same, and equal classes in all splits."""

import os
import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tasks.errors import InputError

NOT_UTF8 = "the name is not UTF-8, which Keras requires; rename it"
_MOST_NAMES = 5


def refuse_unless_utf8(name: str) -> None:
    """Raise InputError for a name that is not UTF-8, or that this process decodes differently."""
    check_locale(name)
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{os.fsencode(name)!r}: {NOT_UTF8}") from error


def check_locale(name: str) -> None:
    """Raise InputError if a name is UTF-8, but this process decodes names differently."""
    if sys.getfilesystemencoding() == "utf-8" or name.isascii():
        return
    with suppress(UnicodeError):
        if (spelled := os.fsencode(name).decode()) != name:
            raise InputError(f"{spelled}: the name is UTF-8, but {_of_locale()}")


def fault_of_names(error: UnicodeError, names: Sequence[str]) -> str:
    """Return what is wrong with one of the names, or with the locale, or an empty text."""
    for name in names:
        try:
            refuse_unless_utf8(name)
        except InputError as found:
            return str(found)
    if sys.getfilesystemencoding() != "utf-8":
        return f"a stored name cannot be encoded ({error}): {_of_locale()}"
    return ""


def _of_locale() -> str:
    return (
        f"Python reads file names as {sys.getfilesystemencoding()} here, because of LC_ALL, "
        "LC_CTYPE, LANG or PYTHONUTF8=0; set PYTHONUTF8=1"
    )


def check_distinct(folder: Path, names: Sequence[str]) -> None:
    """Raise InputError if two class names look the same.

    é is one character, or e and an accent (Unicode Standard Annex 15). Leading, trailing and double
    spaces are invisible too.
    """
    found: dict[str, str] = {}
    for name in names:
        if (other := found.setdefault(_as_read(name), name)) != name:
            raise InputError(
                f"{folder}: two class folders have names that look the same: {other!a} and "
                f"{name!a}; rename one, or move the images of both into one folder"
            )


def differing_in_case(names: Sequence[str]) -> Iterator[str]:
    """Yield a remark on two class names that differ in case only."""
    found: dict[str, str] = {}
    for name in names:
        if (other := found.setdefault(_folded(name), name)) != name:
            yield (
                f"{other!a} and {name!a} are two classes, and differ in case only; if they are the "
                "same class, move the images of both into one folder"
            )


def check_same(folder: Path, classes: Mapping[str, Sequence[str]]) -> None:
    """Raise InputError if the folders of the splits do not hold the same class folders."""
    (first, expected), *others = classes.items()
    for other, received in others:
        lost = [name for name in expected if name not in received]
        new = [name for name in received if name not in expected]
        if not lost and not new:
            continue
        message = f"{folder}: {first} and {other} must hold the same class folders"
        for same, why in ((_as_read, "look the same"), (_folded, "differ in case only")):
            for name in lost:
                if twin := next((one for one in new if same(one) == same(name)), None):
                    raise InputError(f"{message}: {name!a} and {twin!a} {why}; rename one")
        raise InputError(
            f"{message}. Only in {first}: {_several(lost)}; only in {other}: {_several(new)}; "
            "rename, add or move folders"
        )


def _as_read(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).split())


def _folded(name: str) -> str:
    return _as_read(name).casefold()


def _several(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return (", ".join(map(repr, names[:_MOST_NAMES])) or "none") + more
