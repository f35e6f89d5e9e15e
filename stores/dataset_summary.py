"""The sizes of a data set and what is left out of it, as `Manifest.summary` returns them."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

from stores.in_notebook import InNotebook, Table
from stores.targets import Target

SplitBy = Literal["chance", "time"]
KeepTogether = Literal["none", "near-duplicates"]


@dataclass(frozen=True)
class FileReason:
    """A file and why it is left out, or what is remarkable about it."""

    path: str
    reason: str


@dataclass(frozen=True)
class ReasonCount:
    """A reason for which files are left out: how many of each ending, and one of them.

    The reasons of the others may have other numbers in them.
    """

    reason: str
    endings: dict[str, int]  # the most frequent first; empty for files without one
    example: str

    @property
    def files(self) -> int:
        """The number of files."""
        return sum(self.endings.values())

    @property
    def endings_in_words(self) -> str:
        """The numbers by ending, as `3 .bmp, 1 without ending`."""
        named = ((ending or "without ending", count) for ending, count in self.endings.items())
        return ", ".join(f"{count} {ending}" for ending, count in named)


def by_reason(files: Iterable[FileReason]) -> list[ReasonCount]:
    """Return the reasons why files are left out, the most frequent first."""
    found: dict[str, list[FileReason]] = {}
    for file in files:
        found.setdefault(re.sub(r"\d+", "N", file.reason), []).append(file)
    most_first = sorted(found.values(), key=lambda some: -len(some))
    return [ReasonCount(some[0].reason, _endings(some), some[0].path) for some in most_first]


def _endings(files: list[FileReason]) -> dict[str, int]:
    return dict(Counter(PurePosixPath(f.path).suffix.lower() for f in files).most_common())


@dataclass(frozen=True)
class RemarkCount:
    """A remark, the number of images that have it, and one of them."""

    remark: str
    images: int
    example: str


@dataclass(frozen=True)
class GroupCounts:
    """The number of groups in each split, and the largest group."""

    train: int
    validation: int
    test: int
    largest: str
    largest_images: int


@dataclass(frozen=True, kw_only=True)
class NumberRange:
    """The numbers of a split's images."""

    images: int
    smallest: float
    mean: float
    largest: float


@dataclass(frozen=True)
class Correction:
    """An image with another label than its class folder or table gives it."""

    path: str
    given_label: str
    label: str | None  # None: the image is excluded


@dataclass(frozen=True, kw_only=True)
class ListedDataset:
    """A data set in numbers."""

    dataset: str
    folder: str
    classes: tuple[str, ...]
    images: int
    train: int
    validation: int
    test: int
    target: Target = "classes"


@dataclass(frozen=True, kw_only=True)
class DatasetSummary(ListedDataset, InNotebook):
    """Images per split and class, duplicates, and what is left out and why."""

    counts: dict[str, dict[str, int]]  # images by class, or label, and split
    without_label: dict[str, int] = field(default_factory=dict)  # images with none of several
    numbers: dict[str, NumberRange] = field(default_factory=dict)  # by split
    duplicates: int
    rejected: tuple[FileReason, ...]
    ignored: tuple[FileReason, ...]
    remarks: tuple[FileReason, ...]
    remark_counts: tuple[RemarkCount, ...]
    absent: int
    groups: GroupCounts | None = None  # None: no image has a group, or there are no splits
    corrections: tuple[Correction, ...] = ()
    split_by: SplitBy = "chance"  # time: the newest images are in test
    seed: int  # of the split
    layout: str
    notes: tuple[str, ...]

    def tables(self) -> Iterator[Table]:
        """Yield the images by split, by class, label or number too, and unusable files."""
        sizes = {"train": self.train, "validation": self.validation, "test": self.test}
        sizes = sizes if self.classes else {"images": self.images}
        sizes |= {"duplicates": self.duplicates}
        if self.target != "number":
            sizes |= {self.target: len(self.classes)}
        yield Table(f"Data set {self.dataset}: {self.images:,} images in {self.folder}", [sizes])
        if self.numbers:
            rows = [{"split": split, **vars(found)} for split, found in self.numbers.items()]
            yield Table(self.classes[0], rows)
        elif self.classes:
            kind = "label" if self.target == "labels" else "class"
            rows = [{kind: name, **row} for name, row in self.counts.items()]
            rows += [{kind: "none of them", **self.without_label}] if self.without_label else []
            yield Table(f"By {kind}", rows)
        if self.rejected:
            yield Table("Files that cannot be used", [vars(file) for file in self.rejected])
        if self.corrections:
            yield Table("Corrections", [vars(one) for one in self.corrections])
