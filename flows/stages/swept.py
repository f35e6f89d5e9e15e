"""What came of a sweep, and the summary of it."""

from dataclasses import asdict, dataclass
from typing import Any

from flows.cli.command_line import Summary
from stores.manifest import Manifest
from stores.runs.record import Run
from stores.runs.store import RunStore
from tasks.evaluation.selection import selection_of
from tasks.training.planned_runs import PlannedRun, remarks


@dataclass(frozen=True)
class Swept:
    """What came of a sweep: its runs as they were planned, by id, in the order of their trials."""

    planned: dict[str, PlannedRun]
    known: set[str]  # those that were trained before
    trials: int  # equal trials are one run
    seedless: set[str]  # kinds of heads whose seeds were one trial

    @property
    def remarks(self) -> list[str]:
        """Say which seeds were one trial."""
        kinds = ", ".join(sorted(self.seedless))
        return [f"no seed changes heads of kind {kinds}: theirs are one trial"] if kinds else []


def summary_of_sweep(
    runs: RunStore,
    manifest: Manifest,
    swept: Swept,
    trained: list[Run],
    chosen: Run,
) -> Summary:
    """Return what a sweep came to, as one JSON object."""
    openings = runs.openings(chosen.id)
    whole = [run for run in trained if not run.failure]
    cached = sum(run.id in swept.known for run in whole)
    best_first = sorted(trained, key=lambda run: -run.metrics.get("validation_accuracy", -1.0))
    return {
        "dataset": manifest.name,
        "run": chosen.id,
        "head": chosen.head["kind"],
        "folds": chosen.folds,
        "validation_accuracy": chosen.metrics["validation_accuracy"],
        "selection": asdict(selection_of(runs, chosen)),
        "test_accuracy": openings[-1].metrics["test_accuracy"] if openings else None,
        "test_openings": runs.times_opened(manifest.select("test").keys),
        "remarks": [*remarks(manifest, chosen.folds), *swept.remarks],
        "trials": swept.trials,
        "trained": len(whole) - cached,
        "cached": cached,
        "failed": len(trained) - len(whole),
        "runs": [_told(run, swept) for run in best_first],
    }


def _told(run: Run, swept: Swept) -> dict[str, Any]:
    """Return what is said of a run, with what this sweep asked of it."""
    return {
        "run": run.id,
        "cached": run.id in swept.known,
        "failure": run.failure,
        "seed": run.seed,
        "fingerprint": run.fingerprint,
        "parameters": swept.planned[run.id].parameters,
        "specification": run.head,
        "metrics": run.metrics,
    }
