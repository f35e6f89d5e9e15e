"""Selection: what a run's accuracy is worth, given all runs that were tried on the same images."""

import json
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from stores.errors import StoreError
from stores.runs.record import Run
from stores.runs.store import RunStore
from tasks.evaluation.comparison import (
    Estimate,
    Evaluated,
    RightAnswers,
    answers_of,
    estimates_by_rank,
    joined,
)
from tasks.heads import KINDS, find_kind

log = logging.getLogger("gargalo.store")

Row = Mapping[str, Any]  # of the table of runs


@dataclass(frozen=True)
class Selection:
    """A run's accuracy without the luck of its rank among all runs that were tried.

    Whoever shows one run of many has chosen it, knowingly or not. So the correction is for all
    runs of the store on the same images, not only for those of one command.
    """

    estimate: Estimate
    rank: int  # 1: the best; runs of the same accuracy have the same rank
    tried: int  # runs on the same images, this one included; see `trial_of`
    failed: int = 0  # on the same images, without a result: they could not be chosen
    elsewhere: int = 0  # runs of the data set on other images: see `_images`
    unreadable: int = 0  # on the same images, but their predictions are damaged


def selection_of(runs: RunStore, run: Run, evaluated: Evaluated = "validation") -> Selection:
    """Return what a run's accuracy is worth on its held-out images, or on the test split.

    On test the runs tried are those with a test evaluation. Raises CorruptStore where the
    run's own predictions are damaged.
    """
    answers_of(runs, run.id, folds=run.folds, evaluated=evaluated)
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
    return (
        f"expected accuracy {expected.accuracy:.4f} ({expected.low:.4f} to {expected.high:.4f}, "
        f"95%){corrected}: {place}{f'; {rest}' if rest else ''}"
    )


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
    return run["dataset_digest"], evaluated == "validation" and bool(run["folds"])


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
    correct = answers.right.sum(axis=1)
    ranks = [1 + int((correct[distinct] > correct[first[trials[name]]]).sum()) for name in names]
    estimates = estimates_by_rank(replace(answers, right=answers.right[distinct]))
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


def _read(
    runs: RunStore, rows: Sequence[Row], evaluated: Evaluated
) -> tuple[list[str], RightAnswers]:
    """Return the ids of the runs that can be read, and their answers on the same images."""
    found: dict[str, RightAnswers] = {}
    images = b""
    for row in rows:
        try:
            keys, answers = answers_of(runs, row["run"], folds=row["folds"], evaluated=evaluated)
        except StoreError as error:
            log.warning("%s; left out of the runs tried", error)
            continue
        images = images or keys
        if keys and keys == images:
            found[row["run"]] = answers
    return list(found), joined(list(found.values()))
