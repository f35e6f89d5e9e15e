"""Rows of manifests, one by one, and manifests made without files."""

from dataclasses import asdict, dataclass, replace

import numpy as np
import pyarrow as pa

from stores.keys import ImageKey, as_keys
from stores.manifest import SPLITS, Manifest
from stores.manifest_rows import SCHEMA, STAMP
from tasks.datasets.drawn_splits import Drawn
from tasks.datasets.splits import gone, split_rows


@dataclass(frozen=True)
class Entry:
    """A row of a manifest."""

    path: str
    key: ImageKey | None
    label: str | None
    split: str | None
    status: str
    reason: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    group: str | None = None
    given_label: str | None = None
    time: int | None = None
    given_group: str | None = None
    given_split: str | None = None
    near_group: str | None = None
    open_split: bool | None = None

    @property
    def stamp(self):
        return tuple(getattr(self, name) for name in STAMP)


def rows_of(entries):
    """Return entries as a manifest's rows."""
    return pa.Table.from_pylist([asdict(entry) for entry in entries], SCHEMA)


def entries_of(manifest):
    """Return a manifest's rows as entries."""
    return as_entries(manifest.rows)


def as_entries(rows):
    return tuple(
        Entry(**row | {"key": ImageKey(row["key"]) if row["key"] else None})
        for row in rows.to_pylist()
    )


def with_entries(manifest, entries, **changes):
    return replace(manifest, rows=rows_of(entries), **changes)


MANIFEST = Manifest("pets", "/pets", ("cat", "dog"), 0, 0.2, 0.2, listed_ns=0, rows=rows_of([]))


def entry(path, content=None, **changes):
    """Return an accepted image whose label is its folder and whose bytes are, or hash, its path."""
    key = ImageKey.of((path if content is None else content).encode())
    row = Entry(path, key, path.split("/")[0], None, "accepted", "", 1, 2, 3, 4)
    return replace(row, **changes)


def images(count, label="cat", start=0):
    return [entry(f"{label}/{number:05}") for number in range(start, start + count)]


def split(entries, previous=None, **rule):
    """Return the manifest of entries, with what is gone, as ingest makes it."""
    manifest = replace(MANIFEST, **rule)
    found = split_rows(manifest, rows_of(entries), previous)
    return replace(manifest, rows=pa.concat_tables([found, gone(previous, found)]))


def assign(labels, known, *, test_split, validation_split, seed=0):
    """Return the splits of images by key, from their labels and known splits by key."""
    names = sorted(set(labels.values()))
    numbers = np.array([names.index(label) for label in labels.values()], np.int64)
    codes = [SPLITS.index(known[key]) if key in known else -1 for key in labels]
    drawn = Drawn(as_keys(labels), numbers, seed)
    found = drawn.assign(np.array(codes, np.int8), test_split, validation_split)
    return dict(zip(labels, (SPLITS[code] for code in found), strict=True))


def splits_of(manifest):
    """Return the split of each file that is there, by path."""
    return {e.path: e.split for e in entries_of(manifest) if e.status != "absent"}


def counts_of(manifest):
    """Return how many images each split has, as train, validation, test; one class alone."""
    (row,) = [row for row in manifest.counts().values() if sum(row.values())]
    return tuple(row.values())
