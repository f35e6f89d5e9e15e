"""What the flows return that train heads, fine-tune, or look at runs."""

from dataclasses import dataclass, field
from typing import Any, Literal

from flows.summaries.stores import ExtractSummary, IngestSummary
from tasks.evaluation.duplicate_search import DuplicatesSummary
from tasks.report.heads_summary import HeadsSummary, TrainedHead
from tasks.report.run_facts import RunComparison, RunFacts

__all__ = [
    "CompareSummary",
    "FinetuneSummary",
    "HeadsSummary",
    "PipelineSummary",
    "RunsExportSummary",
    "RunsListSummary",
    "RunsShowSummary",
    "RunsSummary",
    "SweepSummary",
    "TrainSummary",
    "TrainedHead",
]


@dataclass(frozen=True, kw_only=True)
class TrainSummary(HeadsSummary):
    """Heads on one kind of features, in the order in which they were requested."""

    cached: bool  # all were trained before
    remarks: tuple[str, ...]
    near_duplicates: DuplicatesSummary = field(default_factory=DuplicatesSummary)


@dataclass(frozen=True, kw_only=True)
class SweepSummary(HeadsSummary):
    """The heads of a sweep, the best first."""

    remarks: tuple[str, ...]
    trials: int  # of which those that are alike are one head
    trained: int
    cached: int
    failed: int
    near_duplicates: DuplicatesSummary
    report: str


@dataclass(frozen=True, kw_only=True)
class FinetuneSummary(HeadsSummary):
    """A run that was fine-tuned, `run`, beside the one that it started from."""

    started_from: str
    finetuning: dict[str, Any]
    image_size: tuple[int, int]
    cached: bool
    comparison: RunComparison | None  # None: it failed, or nothing was to be trained
    near_duplicates: DuplicatesSummary
    report: str

    @property
    def start(self) -> TrainedHead:
        """The head that it started from."""
        return next(head for head in self.runs if head.run == self.started_from)

    def json_fields(self) -> dict[str, Any]:
        """Return what JSON has of it: what matters of both heads, too."""
        return {
            **super().json_fields(),
            "seed": self.chosen.seed,
            "failure": self.chosen.failure,
            "train_accuracy": self.chosen.train_accuracy,
            "started_from_accuracy": self.start.validation_accuracy,
        }


@dataclass(frozen=True)
class PipelineSummary:
    """What each stage of a pipeline returned, and where the report is."""

    about: str  # the images, where they are the embedded sample; else ''
    ingest: IngestSummary
    extract: ExtractSummary
    train: TrainSummary
    report: str


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
