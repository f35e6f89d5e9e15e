"""A run: one trained head or fine-tuned model, with what it was trained on, how, and how it did."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

from stores.errors import CorruptStore, newer_format
from stores.in_notebook import InNotebook, Table
from stores.runs.figures import check_figures
from stores.storage.digests import json_digest
from stores.storage.json_files import ABSURD, as_record, read_object
from stores.storage.location import Location
from stores.storage.safe_files import IrregularFile, status
from stores.storage.safe_folders import folders
from stores.targets import Target

Record = TypeVar("Record")
EVALUATION_NAME = re.compile("[0-9A-Za-z-]{1,100}")
RUN_VERSION = 6
_IN_4 = ("part_digests", "fold_seed", "run", "predictions_sha256", "earlier", "lost", "partial")
# The versions that brought these fields.
SINCE = {
    "folds": 2,
    "failure": 2,
    "finetuning": 3,
    **dict.fromkeys(_IN_4, 4),
    "groups": 5,
    "target": 6,
}
# What every fine-tuning's record has, of which summaries are made.
_FINETUNING = {
    **dict.fromkeys(("started_from", "strategy", "unfreeze", "optimizer", "augmentation"), str),
    "learning_rate": float | int,
    "epochs": int,
}


@dataclass(frozen=True)
class Run(InNotebook):
    """What was trained on what, and how it did; `id` is the digest of what decides the outcome."""

    dataset: str
    dataset_digest: str  # of all (key, label, split), those of the test split too
    fingerprint: str  # of the features' recipe
    classes: tuple[str, ...]
    head: dict[str, Any]  # the head's whole specification
    seed: int
    metrics: dict[str, float]  # of train and validation
    parameters: dict[str, Any]  # requested by the user, to repeat it
    versions: dict[str, str]
    created: str  # ISO 8601, UTC
    folds: int = 0  # that validation is made of; 0: it is the data set's own split
    failure: str = ""  # why there is no model, where training failed
    # Of a fine-tuned model all that decides how the backbone was trained; of a head, nothing.
    finetuning: dict[str, Any] = field(default_factory=dict)
    # SHA-256 of each file of the model, by its name there; there are none before it is published.
    model_digests: dict[str, str] = field(default_factory=dict)
    # SHA-256 of its history and its predictions, by their files' names; older runs have none.
    part_digests: dict[str, str] = field(default_factory=dict)
    fold_seed: int = 0  # by which the images are dealt to folds
    groups: str = ""  # `Manifest.grouping`: groups decide folds, and what training stops by
    target: Target = "classes"  # of its data set

    @property
    def id(self) -> str:
        """SHA-256 over data set digest, groups, recipe, target, head, seeds, folds, tuning."""
        decisive = {
            "dataset_digest": self.dataset_digest,
            "fingerprint": self.fingerprint,
            "classes": list(self.classes),
            "head": self.head,
            "seed": self.seed,
        }
        names = ("folds", "fold_seed", "finetuning", "groups")
        some = {name: getattr(self, name) for name in names}
        some["target"] = "" if self.target == "classes" else self.target
        return json_digest(decisive | {name: value for name, value in some.items() if value})

    def tables(self) -> Iterator[Table]:
        """Yield how it did, or why it failed, and its head's settings."""
        about = f"Run {self.id[:16]}: {self.head.get('kind')} on {self.dataset}"
        measured = dict.fromkeys(name.partition("_")[2] for name in self.metrics)
        splits = ("train", "validation")
        rows = [
            {"metric": name, **{split: self.metrics.get(f"{split}_{name}") for split in splits}}
            for name in measured
        ]
        yield Table(f"{about}: {self.failure}" if self.failure else about, rows)
        yield Table("Head", [{"setting": name, "value": self.head[name]} for name in self.head])

    def to_json(self) -> str:
        """Return the run as JSON with its format version and a digest of itself."""
        return _stamped(asdict(self))

    @classmethod
    def read(cls, place: Location) -> Self:
        """Read a `run.json`; raises CorruptStore or NewerFormat."""
        run, path = place.reread(partial(_checked, kind=cls)), place.path
        tuning = {name: run.finetuning.get(name) for name in _FINETUNING if run.finetuning}
        absurd = any(not isinstance(value, _FINETUNING[name]) for name, value in tuning.items())
        if absurd or not isinstance(run.head.get("kind"), str) or run.folds < 0:
            raise CorruptStore(_damaged(path))
        _check_metrics(path, run.metrics)
        if run.failure and (run.metrics or run.model_digests):
            raise CorruptStore(f"{path}: a run that failed has metrics or a model; {_fix(path)}")
        return run


@dataclass(frozen=True)
class TestOpening:
    """One test evaluation of one run."""

    __test__ = False  # it is no test case, whatever pytest thinks of its name

    asked_by: str
    dataset_digest: str  # the run's: it tells whose test split was looked at
    metrics: dict[str, float]
    opened: str  # ISO 8601, UTC
    run: str = ""  # its id; older ones have none, nor what follows
    predictions_sha256: str = ""  # of the Parquet beside it
    earlier: tuple[str, ...] = ()  # the names of this run's evaluations before it that were whole
    lost: tuple[str, ...] = ()  # the names of those that were damaged or gone
    partial: bool = False  # test images among those that `predict` was given, and no evaluation

    def __post_init__(self) -> None:
        """Raise ValueError where a name is none: it becomes a path."""
        for name in (*self.earlier, *self.lost):
            if not EVALUATION_NAME.fullmatch(name):
                raise ValueError(f"no name of a test evaluation: {name!r}")

    def to_json(self) -> str:
        """Return the opening as JSON with its format version and a digest of itself."""
        return _stamped(asdict(self))

    @classmethod
    def read(cls, place: Location) -> Self:
        """Read one opening's file; raises CorruptStore or NewerFormat."""
        opening = place.reread(partial(_checked, kind=cls))
        _check_metrics(place.path, opening.metrics)
        return opening


def records(folder: Location) -> list[Location]:
    """Return the `run.json` of each run below the folder of all runs."""
    there = (folder / run.name / "run.json" for run in folders(folder.path))
    return [record for record in there if status(record.path)]


def _stamped(body: dict[str, Any]) -> str:
    return json.dumps({"format": RUN_VERSION, "sha256": json_digest(body), "run": body}, indent=2)


def _checked(path: Path, kind: type[Record]) -> Record:
    try:
        stored = read_object(path)
        version, body = stored["format"], dict(stored["run"])
        newer = version > RUN_VERSION
        names = {field.name for field in fields(kind)}  # type: ignore[arg-type]  # dataclasses
        names -= {name for name, since in SINCE.items() if since > version}
        if not newer and set(body) == names and stored["sha256"] == json_digest(body):
            return as_record(kind, body)
    except IrregularFile as error:
        raise CorruptStore(f"{error}; {_fix(path)}") from error
    except ABSURD as error:  # CorruptStore among them
        raise CorruptStore(_damaged(path)) from error
    if newer:
        raise newer_format(f"{path}: run", version, RUN_VERSION)
    raise CorruptStore(_damaged(path))


def _check_metrics(path: Path, metrics: dict[str, float]) -> None:
    try:
        check_figures(metrics)
    except ValueError as error:
        raise CorruptStore(f"{path}: the file is damaged: {error}; {_fix(path)}") from error


def _damaged(path: Path) -> str:
    return f"{path}: the file is damaged; {_fix(path)}"


def _fix(path: Path) -> str:
    if path.name == "run.json":
        return "train again"
    return "evaluate the test split again, with --open-test"
