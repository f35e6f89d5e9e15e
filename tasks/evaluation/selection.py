"""Selection: what a run's figure is worth, given all runs that were tried on the same images."""

import json
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stores.errors import StoreError
from stores.runs.record import Run
from stores.runs.store import RunStore
from stores.targets import MAIN_FIGURE, Target
from tasks.evaluation.bootstrap import Measured
from tasks.evaluation.comparison import (
    Estimate,
    Evaluated,
    RightAnswers,
    answers_of,
    estimates_by_rank,
    joined,
)
from tasks.evaluation.figure_estimates import (
    FigureEstimate,
    figure_estimates_by_rank,
    figure_of,
)
from tasks.evaluation.held_out_scores import Scored, scored
from tasks.heads import KINDS, find_kind

log = logging.getLogger("gargalo.store")

Row = Mapping[str, Any]  # of the table of runs


@dataclass(frozen=True)
class Selection:
    """A run's main figure without the luck of its rank among all runs that were tried.

    Whoever shows one run of many has chosen it, knowingly or not. So the correction is for all
    runs of the store on the same images, not only for those of one command.
    """

    estimate: Estimate | FigureEstimate  # of accuracies; of any other figure
    rank: int  # 1: the best; runs of the same figure have the same rank
    tried: int  # runs on the same images, this one included; see `trial_of`
    failed: int = 0  # on the same images, without a result: they could not be chosen
    elsewhere: int = 0  # runs of the data set on other images: see `_images`
    unreadable: int = 0  # on the same images, but their predictions are damaged


def selection_of(runs: RunStore, run: Run, evaluated: Evaluated = "validation") -> Selection:
    """Return what a run's figure is worth on its held-out images, or on the test split.

    On test the runs tried are those with a test evaluation. Raises CorruptStore where the
    run's own predictions are damaged.
    """
    _answers(runs, asdict(run) | {"run": run.id}, evaluated)
    rows = _evaluated(runs, evaluated)
    # The run itself comes first: whatever cannot be compared with it is left out.
    group = _groups(rows, evaluated)[_images(asdict(run), evaluated)]
    group.sort(key=lambda row: bool(row["run"] != run.id))
    return _of_group(runs, group, rows, evaluated)[run.id]


def selections(runs: RunStore, evaluated: Evaluated = "validation") -> dict[str, Selection]:
    """Return the selection of each run with a result, by its id."""
    rows = _evaluated(runs, evaluated)
    found: dict[str, Selection] = {}
    for group in _groups(rows, evaluated).values():
        found |= _of_group(runs, group, rows, evaluated)
    return found


def tried_with(runs: RunStore, run: Run) -> int:
    """Count the runs with a result that were tried on a run's held-out images, itself included."""
    group = _groups(_evaluated(runs, "validation"), "validation")[
        _images(asdict(run), "validation")
    ]
    return len({trial_of(row) for row in group if not row["failure"]})


def trial_of(row: Row) -> tuple[Any, ...]:
    """Return what makes a run a trial of its own: not the seed of a head without randomness."""
    kind = json.loads(row["head_specification"])["kind"]
    random = kind not in KINDS or find_kind(kind).random or row["finetuning"] != "{}"
    seed = row["seed"] if random else None
    dealt = row["folds"], row["fold_seed"], row["groups"]
    return row["fingerprint"], row["head_specification"], row["finetuning"], dealt, seed


def place_in_words(selection: Selection) -> str:
    """Return a run's place among the runs tried, for people."""
    tried, rank = selection.tried, selection.rank
    if tried == 1:
        return "the only run tried"
    return f"{'the best' if rank == 1 else f'number {rank:,}'} of {tried:,} runs tried"


def expected_in_words(selection: Selection) -> str:
    """Return what to expect of a run, and among how many it was chosen, for people."""
    expected, rest = selection.estimate, not_counted(selection)
    corrected = ", corrected for selection" if selection.tried > 1 else ""
    images = f"{expected.images:,} image{'' if expected.images == 1 else 's'}"
    place = f"{place_in_words(selection)} on these {images}"
    found = Measured(value_of(expected), expected.low, expected.high)
    figure = f"expected {words_of(expected)} {figure_in_words(found)}"
    return f"{figure}{corrected}: {place}{f'; {rest}' if rest else ''}"


def words_of(estimate: Estimate | FigureEstimate) -> str:
    """Return what an estimate is of: accuracy, mean average precision, mean absolute error."""
    return "accuracy" if isinstance(estimate, Estimate) else estimate.figure.replace("_", " ")


def value_of(estimate: Estimate | FigureEstimate) -> float:
    """Return an estimate's accuracy, or other figure."""
    return estimate.accuracy if isinstance(estimate, Estimate) else estimate.value


def figure_in_words(found: Measured) -> str:
    """Return a figure with its interval, for people."""
    if found.low is None or found.high is None:
        return f"{plain_figure(found.value)} (no interval of a single image or group)"
    ends = f"{plain_figure(found.low)} to {plain_figure(found.high)}"
    return f"{plain_figure(found.value)} ({ends}, 95%)"


def plain_figure(value: float) -> str:
    """Return a figure with four decimals, or a very small or large one, as an error may be."""
    if 0 < abs(value) < 0.001:
        return f"{value:.2e}"
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:,.0f}"


def not_counted(selection: Selection) -> str:
    """Return which runs of the data set are not among those tried, for people; '' for none."""
    parts = {
        "that failed": selection.failed,
        "on other held-out images": selection.elsewhere,
        "with damaged predictions": selection.unreadable,
    }
    named = [f"{n:,} run{'' if n == 1 else 's'} {what}" for what, n in parts.items() if n]
    return f"not counted: {', '.join(named)}" if named else ""


def _evaluated(runs: RunStore, evaluated: Evaluated) -> list[Row]:
    rows = runs.table().to_pylist()
    return [row for row in rows if evaluated == "validation" or row["test_openings"]]


def _groups(rows: Sequence[Row], evaluated: Evaluated) -> dict[tuple[Any, ...], list[Row]]:
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[_images(row, evaluated)].append(row)
    return groups


def _images(run: Mapping[str, Any], evaluated: Evaluated) -> tuple[Any, ...]:
    """Return what identifies the images that a run is measured on: of all folds the same."""
    folded = evaluated == "validation" and bool(run["folds"])
    return run["dataset_digest"], run["target"], folded


def _of_group(
    runs: RunStore, group: Sequence[Row], rows: Sequence[Row], evaluated: Evaluated
) -> dict[str, Selection]:
    """Return the selections of the runs on the same images, by id; `rows` are of all runs."""
    whole = [row for row in group if not row["failure"]]
    names, answers = _read(runs, whole, evaluated)
    if not names:
        return {}
    trials = {row["run"]: trial_of(row) for row in whole}
    first = {trials[name]: n for n, name in reversed(list(enumerate(names)))}
    distinct = sorted(first.values())  # the first run of each trial
    orders = _orders(answers, group[0]["target"])
    ranks = [1 + int((orders[distinct] > orders[first[trials[name]]]).sum()) for name in names]
    estimates = _estimates([answers[n] for n in distinct], group[0]["target"])
    datasets = {row["dataset"] for row in group}
    same_name = [row for row in rows if row["dataset"] in datasets and not row["failure"]]
    return {
        name: Selection(
            estimate=estimates[rank - 1],
            rank=rank,
            tried=len(distinct),
            failed=len(group) - len(whole),
            elsewhere=len(same_name) - len(whole),
            unreadable=len(whole) - len(names),
        )
        for name, rank in zip(names, ranks, strict=True)
    }


def _orders(answers: Sequence[RightAnswers | Scored], target: Target) -> NDArray[np.float64]:
    """Return a number for each run that is larger for a better one, (runs,)."""
    return np.array(
        [
            float(one.right.sum())
            if isinstance(one, RightAnswers)
            else MAIN_FIGURE[target].order(figure_of(one, target))
            for one in answers
        ]
    )


def _estimates(
    answers: Sequence[RightAnswers | Scored], target: Target
) -> Sequence[Estimate | FigureEstimate]:
    """Return what to expect of each rank."""
    scores = [one for one in answers if isinstance(one, Scored)]
    if scores:
        return figure_estimates_by_rank(scores, target)
    return estimates_by_rank(joined([one for one in answers if isinstance(one, RightAnswers)]))


def _answers(runs: RunStore, row: Row, evaluated: Evaluated) -> tuple[bytes, RightAnswers | Scored]:
    """Return the keys of the images that a run was measured on, joined, and its answers."""
    if row["target"] == "classes":
        return answers_of(runs, row["run"], folds=row["folds"], evaluated=evaluated)
    predictions, outputs = runs.predictions(row["run"]), len(row["classes"])
    found = scored(predictions, split=evaluated, outputs=outputs, folds=row["folds"])
    return found.keys.tobytes(), found


def _read(
    runs: RunStore, rows: Sequence[Row], evaluated: Evaluated
) -> tuple[list[str], list[RightAnswers | Scored]]:
    """Return the ids of the runs that can be read, and their answers on the same images."""
    found: dict[str, RightAnswers | Scored] = {}
    images = b""
    for row in rows:
        try:
            keys, answers = _answers(runs, row, evaluated)
        except StoreError as error:
            log.warning("%s; left out of the runs tried", error)
            continue
        images = images or keys
        if keys and keys == images:
            found[row["run"]] = answers
    return list(found), list(found.values())
