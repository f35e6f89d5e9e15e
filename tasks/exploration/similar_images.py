"""The images of a data set that are most similar to others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stores.keys import KEY_BYTES, ImageKey, as_arrow
from tasks.errors import InputError
from tasks.evaluation.indexed_nearest import MOST_COMPARISONS, indexed_nearest
from tasks.evaluation.nearest import NOWHERE, Nearest, nearest
from tasks.evaluation.similar_pairs import Places, Vectors, unit
from tasks.evaluation.vector_index import can_index, sampled
from tasks.exploration.dataset_rows import DatasetRows
from tasks.features.vectors import averaged
from tasks.inference.image_rows import IMAGES_AT_ONCE, image_rows, written


@dataclass(frozen=True)
class Asked:
    """The images that others are to be similar to: their vectors, of length 1, by their paths."""

    paths: tuple[str, ...]  # of those that can be used
    keys: tuple[ImageKey, ...]
    vectors: Vectors
    rejected: Mapping[str, str]  # reasons by path
    cached: int  # features


@dataclass(frozen=True)
class SimilarImage:
    """An image of the data set, and how similar it is."""

    path: str
    cosine: float
    label: str | None
    split: str | None


@dataclass(frozen=True)
class SimilarImages:
    """What is most similar to an image, or the reason why it could not be used."""

    path: str
    similar: tuple[SimilarImage, ...] = ()
    itself: str | None = None  # its path in the data set; it is left out
    reason: str = ""


def asked_images(
    paths: Sequence[Path], searched: DatasetRows, known: Mapping[Path, ImageKey]
) -> Asked:
    """Return the vectors of images, by the recipe of the data set's features."""
    found: dict[str, tuple[ImageKey, Vectors]] = {}
    rejected: dict[str, str] = {}
    cached = 0
    for start in range(0, len(paths), IMAGES_AT_ONCE):
        for some in image_rows(
            paths[start : start + IMAGES_AT_ONCE],
            searched.job,
            orientation=searched.manifest.orientation,
            batch_size=searched.batch_size,
            known=known,
        ):
            rejected |= {bad.path: bad.reason for bad in some.rejected}
            if some.images:
                cached += len(some.images) * some.cached
                rows = averaged(some.rows)
                found |= {
                    image.path: (image.key, row)
                    for image, row in zip(some.images, rows, strict=True)
                }
    usable = [str(path) for path in paths if str(path) in found]
    rows = np.stack([found[path][1] for path in usable]) if usable else np.empty((0, 0), "f4")
    return Asked(
        tuple(usable), tuple(found[path][0] for path in usable), unit(rows), rejected, cached
    )


def similar_images(
    paths: Sequence[Path], asked: Asked, searched: DatasetRows, k: int
) -> list[SimilarImages]:
    """Return the k images most similar to each, by the cosine of features, in the given order.

    An image that is in the data set itself is left out there. Raises InputError where there is more
    to compare than can be, and no index.
    """
    own = _own_places(asked, searched)
    k = min(k, len(searched.images.keys))
    found = _found(asked, searched, k, own) if asked.paths else Nearest(own, unit(asked.vectors))
    number_of = {path: number for number, path in enumerate(asked.paths)}
    return [
        SimilarImages(written(path), reason=asked.rejected[str(path)])
        if str(path) in asked.rejected
        else _shown(
            searched, found, number_of[str(path)], str(path), int(own[number_of[str(path)]])
        )
        for path in paths
    ]


def by_index(asked: int, searched: int) -> bool:
    """Return whether so many images are compared by an index, as all with all takes too long."""
    return asked * searched > MOST_COMPARISONS


def _found(asked: Asked, searched: DatasetRows, k: int, own: Places) -> Nearest:
    images = len(searched.images.keys)
    if not by_index(len(asked.paths), images):
        return nearest(searched.blocks(), asked.vectors, k, without=own)
    if not can_index():
        raise InputError(
            f"{len(asked.paths):,} images are too many to compare each with {images:,}; an index "
            "can: run pip install 'gargalo[index]'"
        )
    _, sample = searched.vectors(sampled(images))
    return indexed_nearest(searched.blocks(), sample, images, asked.vectors, k, without=own)


def _own_places(asked: Asked, searched: DatasetRows) -> Places:
    keys = pa.array(asked.keys, pa.binary(KEY_BYTES))
    found = pc.index_in(keys, as_arrow(searched.images.keys))
    return np.asarray(found.fill_null(NOWHERE).to_numpy(zero_copy_only=False), np.int64)


def _shown(
    searched: DatasetRows, found: Nearest, number: int, path: str, own: int
) -> SimilarImages:
    images, manifest = searched.images, searched.manifest
    similar = tuple(
        SimilarImage(
            images.paths[place].as_py(),
            round(cosine, 6),
            manifest.label_of(images.labels[place]) if manifest.classes else None,
            images.splits[place].as_py(),
        )
        for place, cosine in found.of(number)
    )
    itself = None if own == NOWHERE else images.paths[own].as_py()
    return SimilarImages(written(path), similar, itself)


def as_table(found: Sequence[SimilarImages]) -> pa.Table:
    """Return a row for each similar image: image, rank, similar, cosine, label, split, reason.

    An image that could not be used has one row, with the reason.
    """
    schema = pa.schema(
        [
            ("image", pa.string()),
            ("rank", pa.int64()),
            ("similar", pa.string()),
            ("cosine", pa.float64()),
            ("label", pa.string()),
            ("split", pa.string()),
            ("reason", pa.string()),
        ]
    )
    rows: list[dict[str, object]] = []
    for one in found:
        if one.reason:
            rows.append({"image": one.path, "reason": one.reason})
        for rank, similar in enumerate(one.similar, 1):
            about = {"similar": similar.path, "cosine": similar.cosine, "label": similar.label}
            rows.append({"image": one.path, "rank": rank, **about, "split": similar.split})
    return pa.Table.from_pylist(rows, schema)
