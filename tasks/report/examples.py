"""Example pictures of each class, as the report shows them."""

from dataclasses import dataclass

import numpy as np

from stores.manifest import Manifest
from tasks.evaluation.duplicate_search import ShownImage, shown_image

MOST_CLASSES, A_CLASS = 20, 6
_SIDE = 96  # of an image, in pixels


@dataclass(frozen=True)
class ClassExamples:
    """Some images of one class."""

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
                for place in order[images.labels[order] == number][:A_CLASS].tolist()
            ],
        )
        for number, name in enumerate(manifest.classes[:MOST_CLASSES])
    ]
