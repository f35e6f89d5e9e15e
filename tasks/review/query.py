"""Which images the page shows, in which order, and how their labels were confused."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.errors import unknown
from tasks.review.columns import Choice, Column
from tasks.review.images import Codes


@dataclass(frozen=True)
class Query:
    """What to show: of each named column the chosen values, a text in the path, and an order."""

    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    text: str = ""
    sort: str = "path"
    descending: bool = False


@dataclass(frozen=True)
class Confusion:
    """Counts of images by label and prediction; `columns` are the predicted classes."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: NDArray[np.int64]


@dataclass(frozen=True)
class Found:
    """The images of a query, in order, and their confusion without the two filters of its cell."""

    order: Codes
    confusion: Confusion | None  # None: there are no predictions


def found(query: Query, columns: Mapping[str, Column], paths: pa.ChunkedArray) -> Found:
    """Return what a query finds; raises InputError for a column or a value that there is not."""
    text = query.text.strip()
    plain = pc.match_substring(paths, text, ignore_case=True)
    there = plain.to_numpy(zero_copy_only=False) if text else np.ones(len(paths), np.bool_)
    masks = {name: _mask(columns, name, values) for name, values in query.chosen.items()}
    for name, mask in masks.items():
        if name not in {"label", "predicted"}:
            there = there & mask
    confusion = _confusion(columns, there)
    for name in {"label", "predicted"} & masks.keys():
        there = there & masks[name]
    return Found(_sorted(query, columns, np.flatnonzero(there)), confusion)


def _mask(columns: Mapping[str, Column], name: str, values: tuple[str, ...]) -> NDArray[np.bool_]:
    choices = {n: column for n, column in columns.items() if isinstance(column, Choice)}
    if name not in choices:
        raise unknown("column", name, choices)
    column = choices[name]
    for value in values:
        if value not in column.values:
            raise unknown(f"value of {name}", value, column.values)
    return np.isin(column.codes, [column.values.index(value) for value in values])


def _sorted(query: Query, columns: Mapping[str, Column], order: Codes) -> Codes:
    """Return images in order; they come by path, and those without a value last."""
    if query.sort == "path":
        return order[::-1] if query.descending else order
    if query.sort not in columns:
        raise unknown("column", query.sort, ["path", *columns])
    by = columns[query.sort].order()[order]
    by = -by if query.descending else by
    return order[np.argsort(by, kind="stable")]  # NaN is last, whatever the sign


def _confusion(columns: Mapping[str, Column], there: NDArray[np.bool_]) -> Confusion | None:
    label, predicted = columns.get("label"), columns.get("predicted")
    if not (isinstance(label, Choice) and isinstance(predicted, Choice)):
        return None
    both = there & (label.codes >= 0) & (predicted.codes >= 0)
    height, width = len(label.values), len(predicted.values)
    cells = np.bincount(label.codes[both] * width + predicted.codes[both], minlength=height * width)
    return Confusion(label.values, predicted.values, cells.reshape(height, width))
