"""A part of a large data set that stands for it: as many images of each class, drawn by content."""

import hashlib
from dataclasses import replace

from stores.manifest import Entry, Manifest
from tasks.datasets.folds import LEARNED_FROM

MOST_IMAGES = 2000
MOST_CLASSES = 100


def drawn_part(manifest: Manifest) -> Manifest:
    """Return the data set with only so many classes, and images of each, of train and validation.

    At most MOST_CLASSES classes and MOST_IMAGES images, as many of each class, where it has them.
    Which are drawn is decided by classes' names and images' content: where images are added, nearly
    all that were drawn before are drawn again. No image of the test split is among them.
    """
    classes = sorted(manifest.classes, key=lambda name: _draw(name.encode()))[:MOST_CLASSES]
    quota = MOST_IMAGES // max(1, len(classes))
    drawn: set[bytes] = set()
    for name in classes:
        keys = {bytes(e.key) for e in _learned(manifest) if e.key and e.label == name}
        drawn |= set(sorted(keys, key=_draw)[:quota])
    kept = {name for name in manifest.classes if name in set(classes)}
    entries = (entry for entry in _learned(manifest) if bytes(entry.key or b"") in drawn)
    return replace(
        manifest,
        classes=tuple(name for name in manifest.classes if name in kept),
        entries=tuple(entries),
    )


def _learned(manifest: Manifest) -> list[Entry]:
    return [entry for entry in manifest.of_status("accepted") if entry.split in LEARNED_FROM]


def _draw(content: bytes) -> bytes:
    return hashlib.sha256(b"drawn:" + content).digest()
