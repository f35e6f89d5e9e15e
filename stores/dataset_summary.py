"""The sizes of a data set and what is left out of it, as `Manifest.summary` returns them."""

from dataclasses import dataclass


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
class DatasetSummary(ListedDataset):
    """Images per split and class, duplicates, and what is left out and why."""

    counts: dict[str, dict[str, int]]  # images by class and split
    duplicates: int
    rejected: tuple[FileReason, ...]
    ignored: tuple[FileReason, ...]
    remarks: tuple[FileReason, ...]
    remark_counts: tuple[RemarkCount, ...]
    absent: int
    groups: GroupCounts | None  # None: no image has a group
    seed: int  # of the split
    layout: str
    notes: tuple[str, ...]
