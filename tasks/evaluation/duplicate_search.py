"""Near-duplicates of a data set: found by what the store has, and as the report shows them."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stores.errors import MissingFeatures, NotInStore
from stores.features.store import FeatureStore
from stores.keys import Keys
from stores.manifest import Images, Manifest
from stores.runs.record import Run
from stores.storage.location import StoreLike
from tasks.datasets.folds import LEARNED_FROM, fold_numbers
from tasks.evaluation.near_duplicates import MOST, NearDuplicates, near_duplicates
from tasks.execution.steps import task

MOST_PAIRS = 12
SIDE = 144  # of an image, in pixels
_ROWS_AT_ONCE = 64  # of features, which may be maps


def find_near_duplicates(manifest: Manifest, run: Run, *, store: StoreLike) -> NearDuplicates:
    """Return the pairs of near-duplicates between splits; of a run with folds, between folds too.

    Their positions are those of `manifest.select()`.
    """
    from tasks.evaluation.grey_thumbnails import grey_thumbnails

    images = manifest.select()
    if len(images.keys) > MOST:
        return NearDuplicates(untold=(f"{len(images.keys):,} images are too many to compare",))
    try:
        rows = vectors(FeatureStore.open(store, run.fingerprint), images.keys)
    except (NotInStore, MissingFeatures):  # deleted, or damaged, after the head was trained
        return NearDuplicates(untold=("the features are not all in the store any more",))
    return near_duplicates(
        rows, grey_thumbnails(manifest, store), images.labels, _parts(manifest, run)
    )


near_duplicates_task = task(
    name="near-duplicates", task_run_name="near-duplicates in {manifest.name}"
)(find_near_duplicates)


@dataclass(frozen=True)
class DuplicatesSummary:
    """Near-duplicates in numbers: counts, an example, and what is not known."""

    pairs: int = 0
    crowded: int = 0  # pairs that may be copies, among many images that are all alike
    untold: tuple[str, ...] = ()  # why some, or all, may not have been found
    example: tuple[str, ...] = ()  # the paths of one pair


@dataclass(frozen=True)
class ShownImage:
    """An image as a page shows it."""

    path: str
    src: str
    label: str | None
    split: str | None  # or its fold


@dataclass(frozen=True)
class ShownPair:
    """Two near-duplicates as a page shows them."""

    similarity: float
    by: str
    first: ShownImage
    second: ShownImage


def summary_of(found: NearDuplicates, manifest: Manifest) -> DuplicatesSummary:
    """Return near-duplicates in numbers."""
    paths = manifest.select().paths
    example = [paths[n].as_py() for pair in found.pairs[:1] for n in (pair.first, pair.second)]
    return DuplicatesSummary(len(found.pairs), found.crowded, found.untold, tuple(example))


def shown_pairs(found: NearDuplicates, manifest: Manifest, run: Run) -> list[ShownPair]:
    """Return the pairs most alike with their pictures."""
    parts, images = _parts(manifest, run), manifest.select()

    def shown_at(place: int) -> ShownImage:
        shown = shown_image(manifest, images, place, SIDE)
        return replace(shown, split=parts[place])

    return [
        ShownPair(pair.similarity, pair.by, shown_at(pair.first), shown_at(pair.second))
        for pair in found.pairs[:MOST_PAIRS]
    ]


def shown_image(manifest: Manifest, images: Images, place: int, side: int) -> ShownImage:
    """Return one of a data set's images as a page shows it."""
    from tasks.images.thumbnails import thumbnail

    path, label = images.paths[place].as_py(), manifest.classes[images.labels[place]]
    src = thumbnail(Path(manifest.folder) / path, images.keys[place].tobytes(), side=side)
    return ShownImage(path, src, label, images.splits[place].as_py())


def vectors(features: FeatureStore, keys: Keys) -> NDArray[np.float32]:
    """Return a vector an image, (n, channels): maps are averaged over their places."""
    return np.concatenate(
        [
            rows.reshape(len(rows), -1, rows.shape[-1]).mean(axis=1, dtype=np.float32)
            for _, rows in features.batches(keys, batch_size=_ROWS_AT_ONCE)
        ]
    )


def _parts(manifest: Manifest, run: Run) -> list[str]:
    """Return of each image the part that never learns with the others: a split, or a fold."""
    images = manifest.select()
    parts: list[str] = images.splits.to_pylist()
    if run.folds:
        learned = manifest.select(*LEARNED_FROM)
        numbers = fold_numbers(learned, run.folds, seed=run.fold_seed).tolist()
        fold_of = dict(zip(map(bytes, learned.keys), numbers, strict=True))
        parts = [
            f"fold {fold_of[bytes(key)] + 1}" if bytes(key) in fold_of else part
            for key, part in zip(images.keys, parts, strict=True)
        ]
    return parts
