"""What the flows return that fill a store, write a run out, or look after a store."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from stores.dataset_summary import DatasetSummary
from stores.features.store import FeatureStats
from stores.merge.result import Merged
from stores.runs.checkpoints import CheckpointStats
from tasks.execution.in_notebook import InNotebook, Table
from tasks.export.write import Deviation
from tasks.maintenance.maintain import GarbageItem, StoreListing


@dataclass(frozen=True, kw_only=True)
class IngestSummary(DatasetSummary, InNotebook):
    """A data set, and what was read to bring it up to date."""

    largest_class: str
    largest_class_accuracy: float  # of the majority-class baseline
    read: int  # files
    verbose: bool = False  # whether the text names each file that is left out

    def tables(self) -> Iterator[Table]:
        """Yield the images by class and split, and the files that were left out."""
        rows = [{"class": name, **counts} for name, counts in self.counts.items()]
        yield Table(f"Data set {self.dataset}: {self.images:,} images in {self.folder}", rows)
        if self.rejected:
            yield Table("Files that cannot be used", [vars(file) for file in self.rejected])


@dataclass(frozen=True)
class ExportSummary:
    """The models that were written of a run."""

    run: str
    folder: str
    classes: tuple[str, ...]
    scores: str  # what the models return of each class: probability or margin
    models: dict[str, Deviation]  # from the run, by format


@dataclass(frozen=True)
class StatsSummary:
    """The sizes of a store's features and checkpoints."""

    stats: list[FeatureStats]
    checkpoints: list[CheckpointStats]
    action: Literal["stats"] = "stats"


@dataclass(frozen=True)
class VerifySummary:
    """What is wrong with each part of a store; an empty list where it is whole."""

    verify: dict[str, list[str]]
    action: Literal["verify"] = "verify"


@dataclass(frozen=True)
class ReindexSummary:
    """How many shards each recipe has, whose index was made again."""

    reindex: dict[str, int]
    action: Literal["reindex"] = "reindex"


@dataclass(frozen=True)
class GarbageSummary:
    """What nobody will read again, and whether it was deleted."""

    garbage: list[GarbageItem]
    deleted: bool
    action: Literal["gc"] = "gc"


@dataclass(frozen=True)
class ListSummary:
    """What is in a store."""

    list: StoreListing
    action: Literal["list"] = "list"


@dataclass(frozen=True)
class MergeSummary:
    """What was taken over from another store."""

    source: str
    merge: Merged
    action: Literal["merge"] = "merge"

    def json_fields(self) -> dict[str, Any]:
        """Return what JSON has of it."""
        return {"action": self.action, "from": self.source, "merge": self.merge}


MaintainSummary = (
    StatsSummary | VerifySummary | ReindexSummary | GarbageSummary | ListSummary | MergeSummary
)
