"""The leaderboard: all runs of a store as one table, one run in full, two runs side by side."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from stores.runs.store import RunStore
from tasks.errors import InputError, unknown
from tasks.evaluation.comparison import CONFIDENCE, Evaluated, compare, held_out_answers
from tasks.evaluation.selection import Selection, selection_of, selections, tried_with
from tasks.evaluation.split_result import judge, wilson
from tasks.finetune.specification import distinct_settings, head_settings
from tasks.training.repeat_commands import OF_FEATURES

_SMALL_IS_GOOD = ("_log_loss", "_calibration_error")


def leaderboard(store: Path, *, dataset: str | None = None, sort_by: str) -> pa.Table:
    """Return the runs, best first: a column a metric, a feature's or a head's setting.

    Beside the accuracy on held-out images stands what to expect of it: without the luck of the
    run's rank among all runs that were tried on these images (tasks.evaluation.selection). Raises
    InputError for a metric or a data set that there is not.
    """
    runs = RunStore(store)
    table = runs.table()
    metrics = [field.name for field in table.schema if pa.types.is_floating(field.type)]
    if sort_by not in metrics:
        raise unknown("metric", sort_by, metrics, fix="of --sort-by")
    rows = table.to_pylist()
    names = sorted({row["dataset"] for row in rows})
    if dataset is not None:
        if dataset not in names:
            raise unknown("data set", dataset, names, fix="with runs")
        rows = [row for row in rows if row["dataset"] == dataset]
    sign = 1 if sort_by.endswith(_SMALL_IS_GOOD) else -1
    rows.sort(key=lambda row: (row[sort_by] is None, sign * (row[sort_by] or 0.0)))
    selected = selections(runs)
    expected = {run: _expected(selection) for run, selection in selected.items()}
    flat = [dict(_columns(row | expected.get(row["run"], {}))) for row in rows]
    columns = dict.fromkeys(name for row in flat for name in row)
    return pa.table({name: _column([row.get(name) for row in flat]) for name in columns})


def run_facts(store: Path, name: str) -> dict[str, Any]:
    """Return one run in full: its record, its looks at the test split, and each class's metrics."""
    runs = RunStore(store)
    run = runs.read(name)
    openings = runs.openings(run.id)
    about = {"id": run.id, **asdict(run), "openings": [asdict(opening) for opening in openings]}
    if run.failure:
        return about
    evaluated: Evaluated = "test" if openings else "validation"
    judged = judge(
        runs.predictions(run.id),
        split=evaluated,
        classes=run.classes,
        folds=run.folds,
    )
    return about | {
        "judged_on": judged.split,
        "images": len(judged.keys),
        "accuracy": judged.accuracy,
        "interval": wilson(judged.correct, len(judged.keys)),
        "selection": asdict(selection_of(runs, run, evaluated)),
        "per_class": judged.per_class(),
    }


def compared(
    store: Path, first: str, second: str, *, comparisons: int | None = None
) -> dict[str, Any]:
    """Return how two runs differ on the images that both were measured on.

    Two runs of many may have been picked for how they differ. So the p-value and the interval are
    given for all comparisons at once too, by Bonferroni's inequality (O. J. Dunn, Multiple
    comparisons among means, Journal of the American Statistical Association 56 (1961), 52-64):
    without a number of `comparisons`, for all pairs of the runs that were tried on these images.
    """
    runs = RunStore(store)
    both = [runs.read(first), runs.read(second)]
    for run in both:
        if run.failure:
            raise InputError(f"run {run.id[:16]} has no model: {run.failure}")
    answers = held_out_answers(runs, both)
    accuracies = answers.mean(axis=1).tolist()
    tried = tried_with(runs, both[0])
    family = max(1, tried * (tried - 1) // 2 if comparisons is None else comparisons)
    difference = compare(answers)
    at_once = compare(answers, confidence=1 - (1 - CONFIDENCE) / family)
    return {
        "runs": [
            {"run": run.id, "head": run.head, "folds": run.folds, "accuracy": accuracy}
            for run, accuracy in zip(both, accuracies, strict=True)
        ],
        **asdict(difference),
        "tried": tried,
        "comparisons": family,
        "corrected_p_value": min(1.0, family * difference.p_value),
        "corrected_low": at_once.low,
        "corrected_high": at_once.high,
    }


def _expected(selection: Selection) -> dict[str, Any]:
    """Return the columns of a run's selection."""
    return {
        "expected_accuracy": selection.estimate.accuracy,
        "expected_low": selection.estimate.low,
        "expected_high": selection.estimate.high,
        "runs_tried": selection.tried,
    }


def _columns(row: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield a run's columns, its settings each by itself."""
    columns = ("head_specification", "parameters", "finetuning")
    head, parameters, finetuning = (json.loads(row.pop(name)) for name in columns)
    head, size = head_settings(head, finetuning), parameters.get("finetuning", {}).get("image_size")
    parameters |= {"image_size": size} if size else {}  # its own, and not that of its start
    yield from ((name, row[name]) for name in ("run", "dataset", "head"))
    for name in OF_FEATURES:
        if name in parameters:
            yield name, in_one_word(parameters[name])
    yield from (
        (f"head.{name}", in_one_word(value)) for name, value in head.items() if name != "kind"
    )
    yield from ((f"finetuning.{n}", value) for n, value in distinct_settings(finetuning).items())
    if finetuning:
        yield "started_from", finetuning["started_from"]
    rest = {name: row[name] for name in row if name not in {"run", "dataset", "head"}}
    yield from ((name, in_one_word(value)) for name, value in rest.items())


def is_setting(column: str) -> bool:
    """Tell whether a column holds a setting of features, head or fine-tuning, or the seed."""
    return column in {*OF_FEATURES, "seed"} or column.startswith(("head.", "finetuning."))


def settings_in(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a run that was just trained, as the leaderboard calls them."""
    features = {name: value for name, value in run["parameters"].items() if is_setting(name)}
    head = {f"head.{name}": value for name, value in run["specification"].items()}
    return {**features, "seed": run["seed"], **head}


def differences(runs: Iterable[tuple[str, str, dict[str, Any]]]) -> dict[str, str]:
    """Return by run the settings in which it is not like all others.

    `runs` are their ids, the kinds of their heads, and their settings: those of the features are
    compared with all runs', those of a head (and its seed) with the runs' of its kind.
    """
    values: dict[tuple[str, str], set[str]] = defaultdict(set)
    told = list(runs)
    for _, kind, settings in told:
        for name, value in settings.items():
            values[_compared_in(name, kind), name].add(json.dumps(value))
    return {
        run: ", ".join(
            f"{name.removeprefix('head.').removeprefix('finetuning.')} {in_one_word(value)}"
            for name, value in settings.items()
            if value not in (None, "", []) and len(values[_compared_in(name, kind), name]) > 1
        )
        for run, kind, settings in told
    }


def _compared_in(name: str, kind: str) -> str:
    return kind if name == "seed" or name.startswith("head.") else ""


def in_one_word(value: object) -> object:
    """Return a setting as a cell of a table: the parts of a list side by side."""
    return " ".join(map(str, value)) if isinstance(value, list) else value


def _column(values: list[Any]) -> pa.Array:
    # Of several kinds of heads or versions, a setting may be a number here and a word there.
    kinds = {type(value) for value in values if value is not None}
    vast = any(type(value) is int and not -(2**63) <= value < 2**63 for value in values)
    if vast or (len(kinds) > 1 and not kinds <= {int, float}):
        return pa.array([None if value is None else str(value) for value in values], pa.string())
    return pa.array([float(v) if float in kinds and v is not None else v for v in values])
