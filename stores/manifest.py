"""The manifest: the table of a data set, one row a file, kept as Parquet."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple, Self, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stores.dataset_summary import DatasetSummary, FileReason, RemarkCount
from stores.errors import CorruptStore, NewerFormat, NotInStore, StoreError
from stores.keys import ImageKey, Keys, as_keys
from stores.layout import locate
from stores.manifest_rows import check_rows
from stores.orientation import Orientation
from stores.storage.json_files import ABSURD, as_record
from stores.storage.location import Location, StoreLike
from stores.storage.safe_files import status
from stores.storage.safe_folders import folders
from stores.storage.stamped_parquet import read_table, table_bytes

MANIFEST_VERSION = 2
_NAME = re.compile(r"(?![A-Za-z]:)[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*")  # of a data set

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
# accepted: has a split and a feature. rejected: cannot be used, for the reason given. conflicting:
# could be used, but its bytes contradict another file's label or split. ignored: has no image's
# ending, or lies in no class folder. absent: gone from the folder; its split is remembered.
Status = Literal["accepted", "rejected", "conflicting", "ignored", "absent"]

_SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("key", pa.binary(32)),
        ("label", pa.string()),
        ("split", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("size", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("ctime_ns", pa.int64()),
        ("inode", pa.uint64()),
    ]
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: its path below the data set's folder, what it is, and how it looked on disk."""

    path: str
    key: ImageKey | None  # None where the file could not be read
    label: str | None  # the class's name
    split: Split | None
    status: Status
    reason: str  # why it is rejected or ignored; or a remark on an accepted image
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @property
    def stamp(self) -> tuple[int, int, int, int]:
        """How the file looked on disk; an unchanged stamp means unchanged bytes."""
        return (self.size, self.mtime_ns, self.ctime_ns, self.inode)


class Images(NamedTuple):
    """Distinct images: keys (n, 32), labels (n,) as indices of the classes, and one path each."""

    keys: Keys
    labels: NDArray[np.int64]
    paths: list[str]


@dataclass(frozen=True)
class Manifest:
    """A data set: its folder, its classes in Keras's order, how it was split, and its files.

    Example:
        >>> train = Manifest.read("feature-store", "photos").select("train")
    """

    name: str
    folder: str
    classes: tuple[str, ...]
    split_seed: int  # `seed` in the file
    test_split: float
    validation_split: float
    listed_ns: int  # when the folder was listed; a file as young as that is read again
    entries: tuple[Entry, ...]
    layout: str = "auto"  # as requested: auto, classes, or SPLIT=FOLDER,…
    notes: tuple[str, ...] = ()  # what of the folder is left out, or not plain to see
    orientation: Orientation = "upright"  # how images with EXIF rotation are used
    examination: int = 1  # version of what examined the files; after another they are read again

    @classmethod
    def read(cls, store: StoreLike, name: str) -> Self:
        """Read a data set's manifest; raises NotInStore, CorruptStore or NewerFormat."""
        place = manifest_place(store, name)
        place.refresh()
        path = place.path
        try:
            table, about = read_table(path, kind="manifest", version=MANIFEST_VERSION)
            return cls._checked(name, table, about)
        except FileNotFoundError as error:
            there = ", ".join(datasets(store)) or "none"
            raise NotInStore(
                f"{locate(store)}: no data set {name!r}; ingest its folder first; in the store: "
                f"{there}"
            ) from error
        except NewerFormat:
            raise
        except ABSURD as error:
            reason = " ".join(str(error).split())[:200]
            if not isinstance(error, CorruptStore):  # which names the file itself
                reason = f"{path}: the file is damaged: {reason}"
            raise CorruptStore(
                f"{reason}; bring it back from a backup, or delete it and ingest again (the split "
                "is then drawn anew)"
            ) from error

    @classmethod
    def _checked(cls, name: str, table: pa.Table, about: dict[str, Any]) -> Self:
        """Return what a file has; raises ValueError, KeyError or TypeError on what is absurd."""
        named = {"split_seed" if field == "seed" else field: about[field] for field in about}
        found = as_record(cls, named, name=name, entries=())
        if found.orientation not in get_args(Orientation):
            raise ValueError(f"orientation: {found.orientation!r}")
        check_rows(table, _SCHEMA, classes=found.classes, statuses=get_args(Status), splits=SPLITS)
        entries = tuple(
            Entry(**row | {"key": ImageKey(row["key"]) if row["key"] else None})
            for row in table.to_pylist()
        )
        return replace(found, entries=entries)

    def write(self, store: StoreLike) -> None:
        """Publish the manifest; raises StoreReadOnly or StoreFull."""
        columns = {
            field.name: [getattr(entry, field.name) for entry in self.entries]
            for field in fields(Entry)
        }
        about = {
            "seed" if field.name == "split_seed" else field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name not in {"name", "entries"}
        }
        table = pa.table(columns, schema=_SCHEMA)
        content = table_bytes(table, kind="manifest", version=MANIFEST_VERSION, metadata=about)
        place = manifest_place(store, self.name)
        place.publish(content, tmp=place.parent / "tmp")

    def select(self, *splits: Split) -> Images:
        """Return the distinct accepted images of some splits (of all, where none is named).

        Raises ValueError for a split that there is not.
        """
        if strange := set(splits) - set(SPLITS):
            raise ValueError(f"no split {', '.join(strange)}; expected {', '.join(SPLITS)}")
        chosen: dict[ImageKey, Entry] = {}
        for entry in self.of_status("accepted"):
            if entry.key and (not splits or entry.split in splits):
                chosen.setdefault(entry.key, entry)
        numbers = {name: number for number, name in enumerate(self.classes)}
        labels = [numbers[entry.label or ""] for entry in chosen.values()]
        paths = [entry.path for entry in chosen.values()]
        return Images(as_keys(chosen), np.array(labels, np.int64), paths)

    def of_status(self, *statuses: Status) -> list[Entry]:
        """Return the entries of some statuses, in the order of their paths."""
        return [entry for entry in self.entries if entry.status in statuses]

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the sorted (key, label, split) of the distinct accepted images."""
        lines = {
            f"{entry.key}\t{entry.split}\t{entry.label}" for entry in self.of_status("accepted")
        }
        return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the number of distinct images of each class in each split."""
        found = Counter((e.label, e.split, e.key) for e in self.of_status("accepted"))
        by_class = Counter((label, split) for label, split, _ in found)
        return {c: {s: by_class[c, s] for s in SPLITS} for c in self.classes}

    def summary(self) -> DatasetSummary:
        """Return sizes: images per split, duplicates, classes, and what is left out and why."""
        accepted = self.of_status("accepted")
        counts = self.counts()
        return DatasetSummary(
            dataset=self.name,
            folder=self.folder,
            classes=self.classes,
            images=len(accepted),
            **{split: sum(row[split] for row in counts.values()) for split in SPLITS},
            counts=counts,
            duplicates=len(accepted) - len({entry.key for entry in accepted}),
            rejected=_reasons(self.of_status("rejected", "conflicting")),
            ignored=_reasons(self.of_status("ignored")),
            remarks=_reasons(entry for entry in accepted if entry.reason),
            remark_counts=_remark_counts(accepted),
            absent=len(self.of_status("absent")),
            seed=self.split_seed,
            layout=self.layout,
            notes=tuple(self.notes),
        )


@contextmanager
def dataset_lock(store: StoreLike, name: str) -> Iterator[None]:
    """Hold a data set while its manifest is read, changed and written; others wait."""
    with (manifest_place(store, name).parent / "lock").locked():
        yield


def datasets(store: StoreLike) -> list[str]:
    """Return the names of a store's data sets."""
    folder = locate(store) / "datasets"
    folder.refresh()
    names = [path.name for path in folders(folder.path) if status(path / "manifest.parquet")]
    return [name for name in names if _NAME.fullmatch(name)]


def manifest_place(store: StoreLike, name: str) -> Location:
    """Return where a data set's manifest lies; raises StoreError on a name that is no folder's."""
    if not _NAME.fullmatch(name) or len(os.fsencode(name)) > 200:
        raise StoreError(
            f"{name!r} cannot name a data set: expected 1 to 200 bytes on one line, no slash or "
            "backslash, no dot or drive (as C:) in front; give another --dataset"
        )
    return (locate(store) / "datasets").within(name) / "manifest.parquet"


def _remark_counts(accepted: list[Entry]) -> tuple[RemarkCount, ...]:
    """Return each remark with the number of images that have it, and one of them."""
    found: dict[str, list[str]] = {}
    for entry in accepted:
        for remark in filter(None, entry.reason.split("; ")):
            found.setdefault(re.sub(r"\d+ (?=frames|of 255)", "N ", remark), []).append(entry.path)
    most_first = sorted(found.items(), key=lambda item: -len(item[1]))
    return tuple(RemarkCount(remark, len(paths), paths[0]) for remark, paths in most_first)


def _reasons(entries: Iterable[Entry]) -> tuple[FileReason, ...]:
    return tuple(FileReason(entry.path, entry.reason) for entry in entries)
