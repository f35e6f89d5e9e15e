"""What the report shows of the runs to choose from: names, settings, learning curves, features."""

from collections.abc import Iterable, Sequence
from typing import Any

from stores.runs.record import Run
from stores.runs.store import RunStore
from tasks.finetune.specification import distinct_settings

MOST_HEADS = 15  # those of a large sweep that are not folded away
MOST_CURVES = 5  # heads whose learning curves are drawn
_FEATURES = ("backbone", "image_size", "tap", "pooling", "compute_precision", "dtype")


def candidates_of(stored: RunStore, runs: Iterable[str]) -> list[dict[str, Any]]:
    """Read each candidate once, and put the best on validation first."""
    read = {run.id: run for run in map(stored.read, runs)}.values()
    told = _told_apart(read)
    candidates = [
        {
            "run": run,
            "name": head_name(run),
            "about": told[run.id],
            "train": run.metrics.get("train_accuracy"),
            "validation": run.metrics.get("validation_accuracy"),
            "history": stored.history(run.id),
            "openings": len(stored.openings(run.id)),
        }
        for run in read
    ]
    return sorted(candidates, key=lambda c: -1 if c["validation"] is None else -c["validation"])


def head_name(run: Run) -> str:
    """Return what the user called the head (a preset, perhaps), or else its kind."""
    asked = run.parameters.get("head")
    name = asked if isinstance(asked, str) else str(run.head.get("kind", "head"))
    return f"{name}, fine-tuned" if run.finetuning else name


def _told_apart(runs: Iterable[Run]) -> dict[str, dict[str, Any]]:
    """Return the settings of each run's head: of several of a kind, those in which they differ."""
    settings = {
        run.id: {"kind": "fine-tuned", "seed": run.seed, **distinct_settings(run.finetuning)}
        if run.finetuning
        else {**run.head, "seed": run.seed}
        for run in runs
    }
    told = {}
    for run, mine in settings.items():
        others = [other for other in settings.values() if other["kind"] == mine["kind"]]
        several = len(others) > 1
        told[run] = {
            name: value
            for name, value in mine.items()
            if value not in (None, False, [])
            and name not in ({"kind"} if several else {"kind", "version", "seed"})
            and not (several and all(other.get(name) == value for other in others))
        }
    return told


def choice_of(run: Run, candidates: list[dict[str, Any]]) -> dict[str, Any]:
    """Draw the learning curves, those of the chosen run first, and note a better candidate."""
    from tasks.report.charts import learning_curves

    drawn = sorted(
        (candidate for candidate in candidates if len(candidate["history"])),
        key=lambda candidate: candidate["run"].id != run.id,
    )
    mine = next(candidate for candidate in candidates if candidate["run"].id == run.id)
    best, rest = candidates[:MOST_HEADS], candidates[MOST_HEADS:]
    return {
        "candidates": candidates,
        "chosen": mine,
        "shown": [*best, *(other for other in rest if other is mine)],
        "others": [other for other in rest if other is not mine],
        "curves": [
            (
                candidate,
                learning_curves(candidate["history"], salt=candidate["run"].id[:16]),
            )
            for candidate in drawn[:MOST_CURVES]
        ],
        "with_epochs": len(drawn),
        "without_epochs": [c for c in candidates if not len(c["history"])],
    }


def features_told(recipes: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return what tells each recipe's features from the others', by fingerprint."""
    told = {entry["fingerprint"]: {n: entry["recipe"][n] for n in _FEATURES} for entry in recipes}
    return {
        fingerprint: ", ".join(
            "×".join(map(str, value)) if isinstance(value, list) else str(value)
            for name, value in features.items()
            if name == "tap" or any(other[name] != value for other in told.values())
        )
        for fingerprint, features in told.items()
    }
