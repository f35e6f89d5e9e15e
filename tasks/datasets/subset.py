"""A random sample of a large data set, with the same number of images of each class."""

import hashlib
import heapq
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from stores.keys import KEY_BYTES
from stores.manifest import Manifest
from stores.manifest_rows import first_of_each
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
    accepted = manifest.of_status("accepted")
    learned = accepted.filter(pc.is_in(accepted["split"], pa.array(LEARNED_FROM)))
    images = first_of_each(learned)
    drawn = list[bytes]()
    for name in classes:
        keys = images["key"].filter(pc.equal(images["label"], name)).to_pylist()
        drawn += heapq.nsmallest(quota, keys, key=_draw)
    chosen = pc.is_in(learned["key"], pa.array(drawn, pa.binary(KEY_BYTES)))
    kept = set(classes)
    return replace(
        manifest,
        classes=tuple(name for name in manifest.classes if name in kept),
        rows=learned.filter(chosen),
    )


def _draw(content: bytes) -> bytes:
    return hashlib.sha256(b"drawn:" + content).digest()
