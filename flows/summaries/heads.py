"""What the flows return that train heads or fine-tune."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from flows.summaries.stores import IngestSummary
from stores.in_notebook import InNotebook, Table
from tasks.evaluation.duplicate_search import DuplicatesSummary
from tasks.features.accounting import ExtractSummary
from tasks.report.heads_summary import HeadsSummary
from tasks.report.run_facts import FigureComparison, RunComparison
from tasks.report.trained_head import TrainedHead


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
    trials: int  # equal trials are one head
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
    comparison: (
        RunComparison | FigureComparison | None
    )  # None: it failed, or nothing was to be trained
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
class PipelineSummary(InNotebook):
    """What each stage of a pipeline returned, and where the report is."""

    about: str  # the images, where they are the embedded sample; else ''
    ingest: IngestSummary
    extract: ExtractSummary
    train: TrainSummary
    report: str

    def tables(self) -> Iterator[Table]:
        """Yield what its stages show, and where the report is."""
        for stage in (self.ingest, self.extract, self.train):
            yield from stage.tables()
        yield Table(f"Report: {self.report}", [])
