"""The leaderboard: all runs of a store as one table."""

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from stores.runs.store import RunStore
from stores.storage.location import StoreLike
from stores.targets import MAIN_FIGURE
from tasks.errors import unknown
from tasks.evaluation.selection import Selection, selections, value_of, words_of
from tasks.report.settings import in_one_word, settings_of

_SMALL_IS_GOOD = ("_log_loss", "_calibration_error", "_absolute_error", "_squared_error")


def leaderboard(
    store: StoreLike, *, dataset: str | None = None, sort_by: str | None = None
) -> pa.Table:
    """Return the runs, best first: a column a metric, a feature's or a head's setting.

    The best is that by the main figure of its target, or by another metric. Beside the main figure
    on held-out images stands what to expect of it: without the luck of the run's rank among all
    runs that were tried on these images (tasks.evaluation.selection). Raises InputError for an
    unknown metric or data set.
    """
    runs = RunStore(store)
    table = runs.table()
    metrics = [field.name for field in table.schema if pa.types.is_floating(field.type)]
    if sort_by is not None and sort_by not in metrics:
        raise unknown("metric", sort_by, metrics, fix="of --sort-by")
    rows = table.to_pylist()
    names = sorted({row["dataset"] for row in rows})
    if dataset is not None:
        if dataset not in names:
            raise unknown("data set", dataset, names, fix="with runs")
        rows = [row for row in rows if row["dataset"] == dataset]
    rows.sort(key=lambda row: _place(row, sort_by))
    selected = selections(runs)
    expected = {run: _expected(selection) for run, selection in selected.items()}
    flat = [dict(_columns(row | expected.get(row["run"], {}))) for row in rows]
    columns = dict.fromkeys(name for row in flat for name in row)
    return pa.table({name: _column([row.get(name) for row in flat]) for name in columns})


def _place(row: dict[str, Any], sort_by: str | None) -> tuple[bool, float]:
    """Return by what a run is sorted; what is not known comes last."""
    name = sort_by or f"validation_{MAIN_FIGURE[row['target']].name}"
    sign = 1 if name.endswith(_SMALL_IS_GOOD) else -1
    return row[name] is None, sign * (row[name] or 0.0)


def _expected(selection: Selection) -> dict[str, float | None]:
    """Return the columns of a run's selection."""
    estimate = selection.estimate
    return {
        f"expected_{words_of(estimate).replace(' ', '_')}": value_of(estimate),
        "expected_low": estimate.low,
        "expected_high": estimate.high,
        "runs_tried": selection.tried,
    }


def _columns(row: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield a run's columns, its settings each by itself."""
    columns = ("head_specification", "parameters", "finetuning")
    head, parameters, finetuning = (json.loads(row.pop(name)) for name in columns)
    settings = settings_of(head, parameters, finetuning)
    start = {"started_from": finetuning["started_from"]} if finetuning else {}
    first = {name: row.pop(name) for name in ("run", "dataset", "head")}
    yield from first.items()
    yield from ((n, in_one_word(value)) for n, value in (settings | start | row).items())


def _column(values: list[Any]) -> pa.Array:
    # Of several kinds of heads or versions, a setting may be a number here and a word there.
    kinds = {type(value) for value in values if value is not None}
    vast = any(type(value) is int and not -(2**63) <= value < 2**63 for value in values)
    if vast or (len(kinds) > 1 and not kinds <= {int, float}):
        return pa.array([None if value is None else str(value) for value in values], pa.string())
    return pa.array([float(v) if float in kinds and v is not None else v for v in values])
