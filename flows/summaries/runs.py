"""What looking at runs returns."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from stores.in_notebook import InNotebook, Table
from tasks.report.run_facts import FigureComparison, RunComparison, RunFacts


@dataclass(frozen=True)
class RunsListSummary(InNotebook):
    """The leaderboard: a row a run, the best first, with the columns that its table has."""

    runs: list[dict[str, Any]]
    limit: int  # of the rows that are shown of each data set
    sort_by: str | None  # None: each data set's runs by the main figure of its target
    action: Literal["list"] = "list"

    def tables(self) -> Iterator[Table]:
        """Yield the leaderboard."""
        yield Table(f"Runs by {self.sort_by}" if self.sort_by else "Runs, best first", self.runs)


@dataclass(frozen=True)
class RunsShowSummary(InNotebook):
    """One run, whole."""

    run: RunFacts
    action: Literal["show"] = "show"

    def tables(self) -> Iterator[Table]:
        """Yield the run's metrics and its results by class."""
        yield Table(f"Run {self.run.id[:16]} on {self.run.run.dataset}", [self.run.run.metrics])
        if self.run.evaluation:
            yield Table(f"On {self.run.evaluation.judged_on}", self.run.evaluation.rows())


@dataclass(frozen=True)
class CompareSummary:
    """How two runs differ."""

    comparison: RunComparison | FigureComparison
    action: Literal["compare"] = "compare"

    def json_fields(self) -> dict[str, Any]:
        """Return what JSON has of it."""
        return {"action": self.action, **vars(self.comparison)}


@dataclass(frozen=True)
class RunsExportSummary:
    """The file that the leaderboard was written to."""

    file: str
    runs: int
    action: Literal["export"] = "export"


RunsSummary = RunsListSummary | RunsShowSummary | CompareSummary | RunsExportSummary
