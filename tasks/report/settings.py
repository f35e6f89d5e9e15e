"""The settings of runs, by the names that the leaderboard gives them, and how they differ."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from stores.runs.record import Run
from tasks.features.request import FEATURE_SETTINGS
from tasks.finetune.specification import distinct_settings, head_settings


def is_setting(column: str) -> bool:
    """Return whether a column holds a setting of features, head or fine-tuning, or the seed."""
    return column in {*FEATURE_SETTINGS, "seed"} or column.startswith(("head.", "finetuning."))


def settings_of(
    head: Mapping[str, Any], parameters: Mapping[str, Any], finetuning: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the settings of a run's features, head and fine-tuning; each by its column's name."""
    own_size = parameters.get("finetuning", {}).get("image_size")  # and not that of its start
    features = {**parameters, "image_size": own_size} if own_size else parameters
    return {
        **{name: features[name] for name in FEATURE_SETTINGS if name in features},
        **{f"head.{n}": v for n, v in head_settings(head, finetuning).items() if n != "kind"},
        **{f"finetuning.{name}": value for name, value in distinct_settings(finetuning).items()},
    }


def own_settings(run: Run) -> str:
    """Return the settings of a run's head in words, or of its fine-tuning: those that are on."""
    own = distinct_settings(run.finetuning) if run.finetuning else run.head
    off: tuple[object, ...] = (None, False, [])
    return _in_words(
        {n: v for n, v in own.items() if n not in {"kind", "version"} and v not in off}
    )


def differences(runs: Iterable[tuple[str, str, Mapping[str, Any]]]) -> dict[str, str]:
    """Return by run the settings in which it is not like all others, in words.

    `runs` are their ids, the kinds of their heads, and their settings: those of the features are
    compared with all runs', those of a head (and its seed) with the runs' of its kind.
    """
    values: dict[tuple[str, str], set[str]] = defaultdict(set)
    compared = list(runs)
    for _, kind, settings in compared:
        for name, value in settings.items():
            values[_compared_in(name, kind), name].add(json.dumps(value))
    return {
        run: _in_words(
            {
                name.removeprefix("head.").removeprefix("finetuning."): value
                for name, value in settings.items()
                if len(values[_compared_in(name, kind), name]) > 1
            }
        )
        for run, kind, settings in compared
    }


def in_one_word(value: object) -> object:
    """Return a setting as a cell of a table: the parts of a list side by side."""
    return " ".join(map(str, value)) if isinstance(value, list) else value


def _in_words(settings: Mapping[str, Any]) -> str:
    given = {name: value for name, value in settings.items() if value not in (None, "", [])}
    return ", ".join(f"{name} {in_one_word(value)}" for name, value in given.items())


def _compared_in(name: str, kind: str) -> str:
    return kind if name == "seed" or name.startswith("head.") else ""
