"""The images of a data set to label next: those without a label, and which of them are chosen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stores.keys import Rows, as_arrow
from stores.storage.location import StoreLike
from tasks.errors import InputError
from tasks.evaluation.calibrated import Calibrated
from tasks.evaluation.grey_thumbnails import grey_thumbnails
from tasks.evaluation.near_duplicates import near_duplicates
from tasks.evaluation.similar_pairs import Places, Vectors
from tasks.exploration.dataset_rows import DatasetRows
from tasks.exploration.what_to_label import (
    Method,
    MostUncertain,
    best_method,
    distances,
    typical,
    uncertain,
    uncertainty_of,
)
from tasks.features.vectors import averaged
from tasks.inference.predict import Classifier

MOST_CANDIDATES = 50_000  # that typical images are chosen among, drawn by chance
_UNCERTAIN = 20  # times as many as asked for, among which uncertain ones are chosen


@dataclass(frozen=True)
class NextImage:
    """An image to label, and why."""

    path: str
    reason: str
    distance: float  # to the nearest image with a label or before this one: 1 less the cosine
    uncertainty: float | None  # 1 less the difference of the two highest probabilities
    predicted: str | None  # by the run
    second: str | None  # the class that it would be else


@dataclass(frozen=True)
class LabelNext:
    """What to label next, and among how many."""

    method: Method
    images: tuple[NextImage, ...]
    without_label: int
    with_label: int
    copies: int  # near-duplicates of images with a label, which are left out
    drawn: int | None  # images that were looked at, where these are not all
    untold: tuple[str, ...]  # why some near-duplicates may not have been found


@dataclass(frozen=True)
class _Candidates:
    places: Places
    vectors: Vectors
    uncertainty: NDArray[np.float64] | None = None


def label_next(
    pool: DatasetRows,
    labelled: DatasetRows | None,
    classifier: Classifier | None,
    *,
    k: int,
    method: Method | None,
    store: StoreLike,
    seed: int = 0,
) -> LabelNext:
    """Choose k images of a data set that have no label, and are no copies of those that have one.

    Without a method it is the one that teaches more with so many labels. Raises InputError where no
    image is without a label, or where uncertain ones are asked for and there is no run.
    """
    if classifier:
        _calibrated(classifier)
    classes = labelled.manifest.classes if labelled else ()
    places = without_label(pool, labelled)
    named, known = labelled.vectors() if labelled else (places[:0], np.empty((0, 0), np.float32))
    by = method or (best_method(len(known), len(classes)) if classifier else "typical")
    if by == "uncertain":
        if classifier is None:
            raise InputError("--method uncertain: expected --run, whose head is uncertain; add it")
        looked_at = _most_uncertain(pool, places, classifier, _UNCERTAIN * k)
    else:
        drawn = np.random.default_rng(seed).permutation(places)[:MOST_CANDIDATES]
        looked_at = _Candidates(*pool.vectors(np.sort(drawn)))
    copies, untold = np.zeros(len(looked_at.places), np.bool_), tuple[str, ...]()
    if labelled and len(known):
        grey = grey_thumbnails(labelled.manifest, store)[named]
        others = grey_thumbnails(pool.manifest, store)[looked_at.places]
        copies, untold = _copies(known, looked_at.vectors, np.concatenate([grey, others]))
    kept = np.flatnonzero(~copies)
    vectors = looked_at.vectors[kept]
    if not len(kept):
        raise InputError(f"{pool.manifest.name}: nothing is left to label: {_all_known(copies)}")
    if looked_at.uncertainty is not None:
        chosen = uncertain(looked_at.uncertainty[kept], known, vectors, k)
        sizes = [0] * len(chosen)
    else:
        found = typical(known, vectors, k, seed=seed)
        chosen, sizes = [place for place, _ in found], [size for _, size in found]
    there = looked_at.places[kept[chosen]]
    return LabelNext(
        method=by,
        images=tuple(_shown(pool, there, sizes, distances(known, vectors[chosen]), classifier)),
        without_label=len(places),
        with_label=len(known),
        copies=int(copies.sum()),
        drawn=len(looked_at.places) if len(looked_at.places) < len(places) else None,
        untold=untold,
    )


def without_label(pool: DatasetRows, labelled: DatasetRows | None) -> Places:
    """Return the places of images that the labelled data set does not have.

    Raises InputError where there is none.
    """
    if labelled is None:
        return np.arange(len(pool.images.keys))
    rows = labelled.manifest.of_status("accepted", "excluded", "conflicting", columns=("key",))
    known = pc.is_in(as_arrow(pool.images.keys), rows["key"].combine_chunks())
    places = np.flatnonzero(~known.to_numpy(zero_copy_only=False))
    if not len(places):
        name = pool.manifest.name
        raise InputError(
            f"all {len(pool.images.keys):,} images of {name} have a label in "
            f"{labelled.manifest.name}; give the folder of those without: python -m flows.next "
            "FOLDER --layout unlabelled --dataset NAME"
        )
    return places


def as_table(images: Sequence[NextImage]) -> pa.Table:
    """Return images as a table for --labels, whose column label a person fills in."""
    names = ("path", "reason", "distance", "uncertainty", "predicted", "second")
    columns = {name: [getattr(image, name) for image in images] for name in names}
    types = (pa.string(), pa.string(), pa.float64(), pa.float64(), pa.string(), pa.string())
    arrays = [pa.array(columns[name], kind) for name, kind in zip(names, types, strict=True)]
    table = pa.table(arrays, list(names))
    return table.add_column(1, "label", pa.nulls(len(images), pa.string()))


def _most_uncertain(
    pool: DatasetRows, places: Places, classifier: Classifier, most: int
) -> _Candidates:
    found = MostUncertain(most)
    for at, rows in pool.rows(places):
        found.add(at, uncertainty_of(_probabilities(rows, classifier)), averaged(rows))
    there, uncertainty, vectors = found.found()
    return _Candidates(there, vectors, uncertainty)


def _copies(
    known: Vectors, candidates: Vectors, thumbnails: NDArray[np.uint8]
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """Return which candidates are near-duplicates of images with a label, and what is not known."""
    parts = ["labelled"] * len(known) + ["candidate"] * len(candidates)
    together = np.concatenate([known, candidates])
    found = near_duplicates(together, thumbnails, np.zeros(len(parts), np.int64), parts)
    copies = np.zeros(len(candidates), np.bool_)
    for pair in found.pairs:  # in different parts
        copies[max(pair.first, pair.second) - len(known)] = True
    return copies, found.untold


def _all_known(copies: NDArray[np.bool_]) -> str:
    if len(copies):
        return f"all {len(copies):,} images without a label are copies of images with one"
    return "no image without a label can be read"


def _shown(
    pool: DatasetRows,
    places: Places,
    sizes: Sequence[int],
    apart: Sequence[float],
    classifier: Classifier | None,
) -> list[NextImage]:
    said = _said(pool, places, classifier)
    shown = []
    for place, size, distance in zip(places.tolist(), sizes, apart, strict=True):
        predicted, second, uncertainty = said.get(place, (None, None, None))
        if not size:
            reason = f"{predicted} or {second}"
        else:
            reason = f"typical of {size:,} images" if size > 1 else "like no other"
        rounded = None if uncertainty is None else round(uncertainty, 6)
        shown.append(
            NextImage(pool.paths[place], reason, round(distance, 6), rounded, predicted, second)
        )
    return shown


def _probabilities(rows: Rows, classifier: Classifier) -> NDArray[np.float64]:
    scores = classifier.head.scores(rows).astype(np.float64)
    return _calibrated(classifier).calibration.probabilities(scores)


def _calibrated(classifier: Classifier) -> Calibrated:
    found = classifier.calibrated
    if isinstance(found, Calibrated):
        return found
    predicts = "several labels" if classifier.target == "labels" else "a number"
    raise InputError(
        f"--run {classifier.run.id[:16]}: the run predicts {predicts}, expected one that predicts "
        "classes; give another, or leave it out"
    )


def _said(
    pool: DatasetRows, places: Places, classifier: Classifier | None
) -> dict[int, tuple[str, str, float]]:
    """Return the two likeliest classes of some images, and how uncertain they are."""
    said: dict[int, tuple[str, str, float]] = {}
    if classifier is None:
        return said
    for at, rows in pool.rows(places):
        likely = _probabilities(rows, classifier)
        best = np.argsort(-likely, axis=1, kind="stable")[:, :2].tolist()
        unsure = uncertainty_of(likely).tolist()
        for place, (first, second), value in zip(at.tolist(), best, unsure, strict=True):
            said[place] = (classifier.classes[first], classifier.classes[second], value)
    return said
