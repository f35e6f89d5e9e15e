r"""Names that somebody else chose, as text that is safe to show.

A class, a file, a data set or a run may come from anybody. What cannot be seen is written out: the
ESC of a terminal's control sequence becomes `\x1b`, a line break `\n`, a change of the writing
direction `\u202e`.
"""

import re
from dataclasses import fields, is_dataclass, replace
from typing import Any

# Unicode's controls (Cc), surrogates (Cs), line and paragraph separators, and format characters
# (Cf), but for those that Persian, Hindi and emoji are written with (U+200C, U+200D).
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000110bd\U0001d173-\U0001d17a"
    "\U000e0000-\U000e007f]"
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def visible(text: str) -> str:
    """Return text on one line in which nothing acts on what shows it."""
    if text.isprintable():
        return text
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def all_visible(value: Any) -> Any:  # noqa: ANN401  whatever a summary holds
    """Return a summary, or a part of one, with each text and each name in it visible."""
    if is_dataclass(value) and not isinstance(value, type):
        shown = {field.name: all_visible(getattr(value, field.name)) for field in fields(value)}
        return replace(value, **shown)
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {all_visible(name): all_visible(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(all_visible, value))
    return value


def cell(text: str) -> str:
    """Return text as a cell of a CSV file, which neither a spreadsheet nor a terminal acts on.

    What a spreadsheet would take for a formula gets an apostrophe in front (OWASP, CSV Injection).
    """
    shown = visible(text)
    return f"'{shown}" if text.startswith(_FORMULA) else shown


def path_cell(path: str) -> str:
    """Return a relative path as a cell, as `cell`; it is still the path of the same file."""
    return f"./{visible(path)}" if path.startswith(_FORMULA) else visible(path)
