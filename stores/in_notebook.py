"""How something shows in a notebook: as tables, in which no name acts on the page."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from stores.printable import visible

MOST_ROWS = 20


@dataclass(frozen=True)
class Table:
    """Rows with the same columns, under a title."""

    title: str
    rows: Sequence[Mapping[str, object]]

    def as_html(self) -> str:
        """Return the table with its first rows; without any, the title is a line of text."""
        if not self.rows:
            return f"<p>{_text(self.title)}</p>"
        shown = self.rows[:MOST_ROWS]
        head = "".join(f"<th>{_text(name)}</th>" for name in shown[0])
        cells = ("".join(f"<td>{_text(value)}</td>" for value in row.values()) for row in shown)
        body = "".join(f"<tr>{row}</tr>" for row in cells)
        left = len(self.rows) - len(shown)
        return (
            f"<p><b>{_text(self.title)}</b></p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            f"{f'<p>and {left:,} more</p>' if left else ''}"
        )


class InNotebook(ABC):
    """A result, a data set or a run, which notebooks show as tables."""

    @abstractmethod
    def tables(self) -> Iterable[Table]:
        """Return what is shown."""

    def _repr_html_(self) -> str:
        return f"<div>{''.join(table.as_html() for table in self.tables())}</div>"


def _text(value: object) -> str:
    """Return a value as HTML; what acts on a page, or on the line that it stands in, is escaped."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4f}"
    return escape(visible(f"{value:,}" if type(value) is int else str(value)))
