"""Example pictures of each class or label, or of small to large numbers, for the report."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stores.manifest import Manifest
from stores.target_values import Targets
from tasks.evaluation.duplicate_search import ShownImage, shown_image

MOST_CLASSES, A_CLASS = 20, 6
FIFTHS = 5
_SIDE = 96  # of an image, in pixels


@dataclass(frozen=True)
class ClassExamples:
    """Some images of one class or label, or whose numbers are near each other."""

    name: str
    images: list[ShownImage]


def class_examples(manifest: Manifest) -> list[ClassExamples]:
    """Return the first training images of each class by key: a fixed choice, by chance."""
    images = manifest.select("train")
    order = np.lexsort(images.keys.T[::-1])
    return [
        ClassExamples(
            name,
            [
                shown_image(manifest, images, place, _SIDE)
                for place in order[own[order]][:A_CLASS].tolist()
            ],
        )
        for name, own in _parts(images.labels, manifest)
    ]


def _parts(labels: Targets, manifest: Manifest) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield the name of each part of the images, and which are of it, (n,)."""
    if manifest.target == "number":
        ranks = np.argsort(np.argsort(labels, kind="stable"), kind="stable")
        fifths = ranks * FIFTHS // max(1, len(labels))
        for number in range(FIFTHS):
            if (own := fifths == number).any():
                yield f"{labels[own].min():g} to {labels[own].max():g}", own
        return
    for number, name in enumerate(manifest.classes[:MOST_CLASSES]):
        yield name, labels[:, number] == 1 if manifest.target == "labels" else labels == number
