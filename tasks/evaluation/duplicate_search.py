"""Near-duplicates of a data set: found by what the store has, and as the report shows them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stores.errors import MissingFeatures, NotInStore, StoreFull, StoreReadOnly
from stores.features.store import FeatureStore
from stores.keys import Keys
from stores.layout import locate
from stores.manifest import Images, Manifest
from stores.runs.record import Run
from stores.storage.location import Location, StoreLike
from stores.target_values import Targets
from tasks.datasets.folds import LEARNED_FROM, fold_numbers
from tasks.evaluation.duplicate_groups import groups_csv, largest_group, near_duplicate_groups
from tasks.evaluation.near_duplicates import (
    NearDuplicates,
    near_duplicates,
    not_searched,
    why_not,
)
from tasks.execution.steps import task
from tasks.features.vectors import StoredVectors, Vectors, vectors

MOST_PAIRS = 12
SIDE = 144  # of an image, in pixels
_IN_MEMORY_BYTES = 2**27  # of vectors; more are read as often as they are needed


def find_near_duplicates(manifest: Manifest, run: Run, *, store: StoreLike) -> NearDuplicates:
    """Return the pairs of near-duplicates between and within splits; with folds, folds too.

    Their positions are those of `manifest.select()`. The groups that they form are put into a table
    in the store.
    """
    return _search(manifest, run.fingerprint, lambda images: _parts(manifest, images, run), store)


def find_in_features(manifest: Manifest, fingerprint: str, *, store: StoreLike) -> NearDuplicates:
    """Return the same by features of which no head has learned."""
    # Without labels there are no splits: all pairs are within one part.
    return _search(manifest, fingerprint, _splits, store)


def groups_of(found: NearDuplicates, manifest: Manifest) -> dict[bytes, str]:
    """Return the group of each image that has a near-duplicate, by its key.

    For a split that keeps near-duplicates together.
    """
    return near_duplicate_groups((*found.pairs, *found.within), manifest.select().keys)


def groups_place(store: StoreLike, name: str) -> Location:
    """Return where the table of a data set's groups lies."""
    short = name.encode()[:200].decode(errors="ignore")  # a file's name takes 255 bytes
    return locate(store) / "reports" / f"{short}.near-duplicates.csv"


def _search(
    manifest: Manifest, fingerprint: str, parts: Callable[[Images], list[str]], store: StoreLike
) -> NearDuplicates:
    from tasks.evaluation.grey_thumbnails import grey_thumbnails

    images = manifest.select()
    if reason := why_not(len(images.keys)):  # before anything is read
        return not_searched(reason)
    try:
        rows = _rows(FeatureStore.open(store, fingerprint), images.keys)
    except (NotInStore, MissingFeatures):  # deleted, or damaged, after the head was trained
        return not_searched("the features are not all in the store any more")
    thumbnails = grey_thumbnails(manifest, store)
    found = near_duplicates(rows, thumbnails, kinds_of(images.labels), parts(images))
    if not found.pairs and not found.within:
        return found
    table = groups_csv(_files(manifest), groups_of(found, manifest))
    place = groups_place(store, manifest.name)
    try:
        place.publish(table, tmp=place.parent / "tmp")
    except (StoreReadOnly, StoreFull):
        return found  # the pairs are told all the same
    return replace(found, table=str(place.path))


near_duplicates_task = task(
    name="near-duplicates", task_run_name="near-duplicates in {manifest.name}"
)(find_near_duplicates)
in_features_task = task(name="near-duplicates", task_run_name="near-duplicates in {manifest.name}")(
    find_in_features
)


@dataclass(frozen=True)
class DuplicatesSummary:
    """Near-duplicates in numbers: counts, an example, and what is not known."""

    pairs: int = 0  # in different splits, or folds
    crowded: int = 0  # such pairs that may be copies, among many images that are all alike
    untold: tuple[str, ...] = ()  # why some, or all, may not have been found
    example: tuple[str, ...] = ()  # the paths of one pair
    within: int = 0  # pairs in one split, or fold
    groups: int = 0  # that all pairs form
    largest: int = 0  # images of the largest group
    table: str = ""  # the file that has the groups
    searched: bool = True
    split: bool = True  # if not, there are no labels and no splits
    kept: bool = False  # whether the data set keeps near-duplicates in one split


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
    example = list[str]()
    for pair in found.pairs[:1]:
        paths = manifest.select().paths
        example = [paths[n].as_py() for n in (pair.first, pair.second)]
    groups = groups_of(found, manifest) if found.pairs or found.within else {}
    return DuplicatesSummary(
        pairs=len(found.pairs),
        crowded=found.crowded,
        untold=found.untold,
        example=tuple(example),
        within=len(found.within),
        groups=len(set(groups.values())),
        largest=largest_group(groups),
        table=found.table,
        searched=found.searched,
        split=bool(manifest.classes),
        kept=manifest.keep_together == "near-duplicates",
    )


def shown_pairs(found: NearDuplicates, manifest: Manifest, run: Run) -> list[ShownPair]:
    """Return the pairs most alike with their pictures."""
    images = manifest.select()
    parts = _parts(manifest, images, run)

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

    path = images.paths[place].as_py()
    label = manifest.label_of(images.labels[place])
    src = thumbnail(Path(manifest.folder) / path, images.keys[place].tobytes(), side=side)
    return ShownImage(path, src, label, images.splits[place].as_py())


def kinds_of(truths: Targets) -> NDArray[np.int64]:
    """Return the kind of each image, (n,): its class, or the most frequent of its labels.

    Images without a label, and those of a number, are of one kind.
    """
    if truths.ndim == 2:
        by_frequency = np.argsort(-truths.sum(axis=0), kind="stable")
        ordered = truths[:, by_frequency]
        return np.where(ordered.any(axis=1), ordered.argmax(axis=1) + 1, 0)
    is_number = truths.dtype.kind == "f"
    return np.zeros(len(truths), np.int64) if is_number else np.maximum(truths, 0)


def _rows(features: FeatureStore, keys: Keys) -> Vectors | StoredVectors:
    """Return the vectors in memory where they are few."""
    channels = (features.feature_shape or (0,))[-1]
    fit = 4 * len(keys) * channels <= _IN_MEMORY_BYTES
    return vectors(features, keys) if fit else StoredVectors(features, keys)


def _files(manifest: Manifest) -> list[tuple[str, bytes]]:
    """Return path and key of each accepted file."""
    rows = manifest.of_status("accepted")
    return list(zip(rows["path"].to_pylist(), rows["key"].to_pylist(), strict=True))


def _splits(images: Images) -> list[str]:
    found = images.splits.fill_null("None").dictionary_encode()
    names = found.dictionary.to_pylist()  # one string a split, and not one an image
    return [names[n] for n in found.indices.to_pylist()]


def _parts(manifest: Manifest, images: Images, run: Run) -> list[str]:
    """Return of each image the part that never learns with the others: a split, or a fold."""
    parts = _splits(images)
    if run.folds:
        learned = manifest.select(*LEARNED_FROM)
        numbers = fold_numbers(learned, run.folds, seed=run.fold_seed).tolist()
        fold_of = dict(zip(map(bytes, learned.keys), numbers, strict=True))
        parts = [
            f"fold {fold_of[bytes(key)] + 1}" if bytes(key) in fold_of else part
            for key, part in zip(images.keys, parts, strict=True)
        ]
    return parts
