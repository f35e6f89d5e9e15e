"""Rows of manifests, and manifests, made without files."""

from dataclasses import replace

from stores.keys import ImageKey
from stores.manifest import Entry, Manifest
from tasks.datasets.splits import gone, split_entries

MANIFEST = Manifest("pets", "/pets", ("cat", "dog"), 0, 0.2, 0.2, listed_ns=0, entries=())


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
    found = split_entries(manifest, entries, previous)
    return replace(manifest, entries=(*found, *gone(previous, found)))


def splits_of(manifest):
    """Return the split of each file that is there, by path."""
    return {e.path: e.split for e in manifest.entries if e.status != "absent"}


def counts_of(manifest):
    """Return how many images each split has, as train, validation, test; one class alone."""
    (row,) = [row for row in manifest.counts().values() if sum(row.values())]
    return tuple(row.values())
