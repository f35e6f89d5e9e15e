"""Values in Markdown, escaped, for model cards and artifacts of a Prefect server."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from stores.printable import visible

_TEMPLATES = Path(__file__).parent / "templates"
# Characters with a meaning in CommonMark and its tables, and the beginnings of addresses, which
# GitHub turns into links (CommonMark 0.31, 2.4 and 2.5; GitHub Flavored Markdown 0.29, 6.9).
_MARKUP = re.compile(r"[\\`*\[\]|~#!$@]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.", re.IGNORECASE)


def escape(value: object) -> str:
    """Return a value as text within a line of Markdown."""
    text = visible(str(value)).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKUP.sub(r"\\\g<0>", text)


def code(value: object) -> Markup:
    """Return a value as code within a line, or a table's cell."""
    text = visible(str(value)).replace("|", "¦")
    ticks = _ticks(text, least=1)
    blank = " " if text.startswith("`") or text.endswith("`") else ""
    return Markup(f"{ticks}{blank}{text}{blank}{ticks}")  # noqa: S704  nothing in it is markup


def block(text: str) -> str:
    """Return lines as a block of code."""
    ticks = _ticks(text, least=3)
    return f"{ticks}\n{text}\n{ticks}"


def render(template: str, **values: Any) -> str:  # noqa: ANN401  whatever the template shows
    """Return a template of `templates/`, filled in; raises if a value is missing."""
    return _environment().get_template(template).render(values)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(  # noqa: S701  Markdown, which `finalize` escapes
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: value if isinstance(value, Markup) else escape(value),
    )
    environment.filters["code"] = code
    return environment


def _ticks(text: str, *, least: int) -> str:
    """Return more backticks than any run of them in the text."""
    longest = max((len(found) for found in re.findall("`+", text)), default=0)
    return "`" * max(least, longest + 1)
