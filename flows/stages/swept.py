"""What came of a sweep, and the summary of it."""

from dataclasses import dataclass
from pathlib import Path

from flows.summaries.heads import SweepSummary
from stores.manifest import Manifest
from stores.runs.record import Run
from stores.runs.store import RunStore
from stores.storage.location import StoreLike
from stores.targets import MAIN_FIGURE
from tasks.evaluation.duplicate_search import DuplicatesSummary
from tasks.report.heads_summary import summarize_heads
from tasks.report.trained_head import order_of
from tasks.training.planned_runs import PlannedRun
from tasks.training.trainable import remarks


@dataclass(frozen=True)
class Swept:
    """What came of a sweep: its runs as they were planned, by id, in the order of their trials."""

    planned: dict[str, PlannedRun]
    cached: set[str]  # those that were trained before
    trials: int  # equal trials are one run
    seedless: set[str]  # kinds of heads whose seeds were one trial

    @property
    def remarks(self) -> list[str]:
        """The kinds of heads that no seed changes."""
        kinds = ", ".join(sorted(self.seedless))
        return [f"no seed changes heads of kind {kinds}: theirs are one trial"] if kinds else []


def summary_of_sweep(
    swept: Swept,
    trained: list[Run],
    chosen: Run,
    *,
    manifest: Manifest,
    near_duplicates: DuplicatesSummary,
    report: Path,
    store: StoreLike,
) -> SweepSummary:
    """Return what a sweep came to."""
    whole = [run for run in trained if not run.failure]
    cached = sum(run.id in swept.cached for run in whole)
    figure = f"validation_{MAIN_FIGURE[manifest.target].name}"
    best_first = sorted(trained, key=lambda run: order_of(run.metrics.get(figure), manifest.target))
    requested = [swept.planned[run.id].parameters for run in best_first]
    heads = summarize_heads(
        RunStore(store), manifest, best_first, chosen, requested=requested, cached=swept.cached
    )
    return SweepSummary(
        **vars(heads),
        remarks=(*remarks(manifest, chosen.folds), *swept.remarks),
        trials=swept.trials,
        trained=len(whole) - cached,
        cached=cached,
        failed=len(trained) - len(whole),
        near_duplicates=near_duplicates,
        report=str(report),
    )
