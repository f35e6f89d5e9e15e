"""A random sample of a large data set, with the same number of images of each class."""

import hashlib
from dataclasses import replace

from stores.manifest import Entry, Manifest
from tasks.datasets.folds import LEARNED_FROM

MOST_IMAGES = 2000
MOST_CLASSES = 100


def drawn_part(manifest: Manifest) -> Manifest:
    """Return a sample of the train and validation images of a data set.

    It has at most MOST_CLASSES classes and MOST_IMAGES images, the same number of each class if
    possible. The sample depends on class names and image content: if images are added, nearly all
    earlier ones stay in it. Test images are never in it.
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
