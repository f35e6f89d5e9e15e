"""A page of HTML from a template: every value escaped, every number written the same way."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from stores.printable import visible
from tasks.evaluation.selection import not_counted, place_in_words

_FOLDER = Path(__file__).parent / "templates"


def render(template: str, **values: Any) -> bytes:  # noqa: ANN401  whatever the template shows
    """Return a template of `templates/`, filled in, as UTF-8; raises where a value is missing."""
    return _environment().get_template(template).render(values).encode()


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=plain,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "figure": figure,
        "by_words": by_words,
        "count": count,
        "duration": duration,
        "as_json": as_json,
        "place": place_in_words,
        "not_counted": not_counted,
        "zip": zip,
    }
    return environment


def plain(value: Any) -> Any:  # noqa: ANN401  Jinja calls it with each value of a template
    """Return text with what cannot be seen written out, as in `stores.printable`."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def percent(share: float | None) -> str:
    """Return a share as a percentage with one decimal; only what is 1 is 100%, only 0 is 0%."""
    if share is None:
        return "–"
    text = f"{share:.1%}"
    whole = {
        "100.0%": "100%" if share >= 1 else "> 99.9%",
        "0.0%": "0%" if share <= 0 else "< 0.1%",
    }
    return whole.get(text, text)


def figure(value: float | None) -> str:
    """Return a figure that is no share of images, with about four digits."""
    if value is None:
        return "–"
    if 0 < abs(value) < 0.1:
        return f"{value:.3g}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.{2 if abs(value) < 100 else 1}f}"


def by_words(words: str, figures: Mapping[str, float]) -> float | None:
    """Return the figure of these words; None for one that was not measured."""
    return figures.get(words)


def count(number: int, noun: str = "") -> str:
    """Return a whole number with its thousands set apart and, where it is given, its noun."""
    if not noun:
        return f"{number:,}"
    plural = f"{noun}es" if noun.endswith(("s", "x", "ch")) else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def duration(seconds: float) -> str:
    """Return seconds in words."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def as_json(value: Any) -> Markup:  # noqa: ANN401  whatever JSON can hold
    """Return a value as JSON, escaped; indented by two."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return Markup("\n").join(escape(plain(line)) for line in text.split("\n"))
