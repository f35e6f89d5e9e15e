"""What looking at runs returns."""

from dataclasses import dataclass
from typing import Any, Literal

from tasks.report.run_facts import RunComparison, RunFacts


@dataclass(frozen=True)
class RunsListSummary:
    """The leaderboard: a row a run, the best first, with the columns that its table has."""

    runs: list[dict[str, Any]]
    limit: int  # of the rows that are shown of each data set
    sort_by: str
    action: Literal["list"] = "list"


@dataclass(frozen=True)
class RunsShowSummary:
    """One run, whole."""

    run: RunFacts
    action: Literal["show"] = "show"


@dataclass(frozen=True)
class CompareSummary:
    """How two runs differ."""

    comparison: RunComparison
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
