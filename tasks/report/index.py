"""The page that lists all reports of a store, beside them: the newest first."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from stores.layout import locate
from stores.runs.store import RunStore
from stores.storage.location import StoreLike
from stores.targets import MAIN_FIGURE
from tasks.evaluation.selection import plain_figure
from tasks.report.templating import percent, render

NAME = "index.html"
_REPORT = re.compile(r"(?P<dataset>.+)-(?P<run>[0-9a-f]{16})\.html", re.DOTALL)


@dataclass(frozen=True)
class ListedReport:
    """A report, and the run that it is about as far as that is in the store."""

    file: str
    dataset: str
    run: str  # the beginning of its id
    head: str = "–"
    figure: str = "–"  # on validation, in words
    written: str = ""  # UTC


def write_index(store: StoreLike) -> None:
    """Publish the page anew. A file that is named as no report is left out."""
    folder = locate(store) / "reports"
    content = render("index.html.jinja", reports=listed_reports(store))
    (folder / NAME).publish(content, tmp=folder / "tmp")


def _figure_in_words(row: Mapping[str, Any]) -> str:
    figure = MAIN_FIGURE[row["target"]] if row else None
    value = row.get(f"validation_{figure.name}") if figure else None
    if figure is None or value is None:
        return "–"
    return f"{figure.words} {percent(value) if figure.best == 'highest' else plain_figure(value)}"


def listed_reports(store: StoreLike) -> list[ListedReport]:
    """Return the reports of a store, the newest first."""
    runs = {row["run"][:16]: row for row in RunStore(store).table().to_pylist()}
    found = []
    for file, about in (locate(store) / "reports").files(".html").items():
        if named := _REPORT.fullmatch(file):
            row = runs.get(named["run"], {})
            found.append(
                ListedReport(
                    file,
                    row.get("dataset", named["dataset"]),
                    named["run"],
                    row.get("head", "–"),
                    _figure_in_words(row),
                    f"{datetime.fromtimestamp(about.changed, UTC):%Y-%m-%d %H:%M}",
                )
            )
    return sorted(found, key=lambda report: report.written, reverse=True)
