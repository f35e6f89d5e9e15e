"""What the flows return that fill a store, write a run out, or look after a store."""

from dataclasses import dataclass
from typing import Any, Literal

from stores.dataset_summary import DatasetSummary
from stores.features.store import FeatureStats
from stores.merge.result import Merged
from stores.runs.checkpoints import CheckpointStats
from stores.targets import Target
from tasks.evaluation.duplicate_search import DuplicatesSummary
from tasks.evaluation.kept_groups import KeptTogether
from tasks.export.deviation import Deviation
from tasks.features.accounting import ExtractSummary
from tasks.maintenance.maintain import GarbageItem, StoreListing


@dataclass(frozen=True, kw_only=True)
class IngestSummary(DatasetSummary):
    """A data set, and what was read to bring it up to date."""

    largest_class: str | None  # None: no labels
    largest_class_accuracy: float | None  # of the majority-class baseline
    read: int  # files
    verbose: bool = False  # whether the text names each file that is left out


@dataclass(frozen=True, kw_only=True)
class SearchedExtractSummary(ExtractSummary):
    """An extraction, and which of its images are near-duplicates."""

    near_duplicates: DuplicatesSummary | None = None  # None: not searched, as nothing is new
    kept_together: KeptTogether | None = None  # None: near-duplicates may be in two splits


@dataclass(frozen=True)
class ExportSummary:
    """The models that were written of a run."""

    run: str
    folder: str
    classes: tuple[str, ...]
    scores: str  # what the models return of each class: probability or margin; or number
    models: dict[str, Deviation]  # from the run, by format
    target: Target = "classes"  # what the models predict


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
