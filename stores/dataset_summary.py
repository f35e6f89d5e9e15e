"""The sizes of a data set and what is left out of it, as `Manifest.summary` returns them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from stores.in_notebook import InNotebook, Table

SplitBy = Literal["chance", "time"]


@dataclass(frozen=True)
class FileReason:
    """A file and why it is left out, or what is remarkable about it."""

    path: str
    reason: str


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


@dataclass(frozen=True, kw_only=True)
class DatasetSummary(ListedDataset, InNotebook):
    """Images per split and class, duplicates, and what is left out and why."""

    counts: dict[str, dict[str, int]]  # images by class and split
    duplicates: int
    rejected: tuple[FileReason, ...]
    ignored: tuple[FileReason, ...]
    remarks: tuple[FileReason, ...]
    remark_counts: tuple[RemarkCount, ...]
    absent: int
    groups: GroupCounts | None = None  # None: no image has a group
    corrections: tuple[Correction, ...] = ()
    split_by: SplitBy = "chance"  # time: the newest images are in test
    seed: int  # of the split
    layout: str
    notes: tuple[str, ...]

    def tables(self) -> Iterator[Table]:
        """Yield the images by split, by class too, and the files that cannot be used."""
        sizes = {"train": self.train, "validation": self.validation, "test": self.test}
        sizes |= {"duplicates": self.duplicates, "classes": len(self.classes)}
        yield Table(f"Data set {self.dataset}: {self.images:,} images in {self.folder}", [sizes])
        yield Table("By class", [{"class": name, **row} for name, row in self.counts.items()])
        if self.rejected:
            yield Table("Files that cannot be used", [vars(file) for file in self.rejected])
        if self.corrections:
            yield Table("Corrections", [vars(one) for one in self.corrections])
