"""The clusters of a data set's images, and how they agree with its labels."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tasks.errors import InputError
from tasks.exploration.clusters import (
    Clusters,
    drawn,
    find_clusters,
    purity,
    rand_index,
)
from tasks.exploration.dataset_rows import DatasetRows


@dataclass(frozen=True)
class ClusterAbout:
    """A cluster in words: its name, its size, and its most central images."""

    name: str
    images: int
    label: str | None  # the most common one of the data set's
    share: float | None  # of its images that have that label
    central: tuple[str, ...]  # paths


@dataclass(frozen=True)
class Agreement:
    """How clusters agree with labels that they were not made of."""

    purity: float  # the share of images of the most common class of their cluster
    rand_index: float  # adjusted: 1 if clusters are the classes, 0 by chance


def cluster(rows: DatasetRows, k: int | None, *, seed: int = 0) -> Clusters:
    """Return the clusters of a data set; None: as many as separate best.

    Where all images are looked at anyway, their features are read once.
    """
    count = len(rows.images.keys)
    places, sample = rows.vectors(drawn(count, seed=seed))
    if not len(places):
        raise InputError(f"{rows.manifest.name}: no image can be read")
    blocks = [(places, sample)] if len(places) == count else rows.blocks()
    return find_clusters(sample, blocks, k, seed=seed)


def agreement(rows: DatasetRows, found: Clusters) -> Agreement | None:
    """Return how clusters agree with the classes; None where images have none, or several."""
    if not rows.manifest.classes or rows.manifest.target != "classes":
        return None
    labels = rows.images.labels[found.places]
    values = purity(found.number, labels), rand_index(found.number, labels)
    return Agreement(*(round(value, 6) for value in values))


def described(rows: DatasetRows, found: Clusters, *, central: int) -> Iterator[ClusterAbout]:
    """Yield each cluster with its most central images, the largest first."""
    classes = rows.manifest.classes if rows.manifest.target == "classes" else ()
    for number, size in enumerate(found.sizes):
        label, share = None, None
        if classes and size:
            own = rows.images.labels[found.places[found.number == number]]
            counts = np.bincount(own, minlength=len(classes))
            label, share = classes[int(counts.argmax())], round(float(counts.max() / size), 6)
        paths = tuple(rows.paths[place] for place in found.central(number, central).tolist())
        yield ClusterAbout(name_of(number, found), size, label, share, paths)


def as_table(rows: DatasetRows, found: Clusters) -> pa.Table:
    """Return a row for each image: path, cluster, distance to its centre, and label if it has one.

    `--labels` reads it: with `--group cluster`, or with the clusters, once named, as labels.
    """
    order = np.lexsort((found.distance, found.number))
    places = found.places[order]
    names = [name_of(number, found) for number in range(len(found.sizes))]
    columns = {
        "path": rows.images.paths.take(pa.array(places)),
        "cluster": pa.array([names[number] for number in found.number[order].tolist()]),
        "distance": pa.array(found.distance[order].astype(np.float64)),
    }
    if rows.manifest.classes:
        texts = [rows.manifest.label_of(rows.images.labels[place]) for place in places]
        columns["label"] = pa.array(texts, pa.string())
    return pa.table(columns)


def name_of(number: int, found: Clusters) -> str:
    """Return the name of a cluster, which sorts by its number."""
    return f"cluster {number + 1:0{len(str(len(found.sizes)))}}"
