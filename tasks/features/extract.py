"""Extract: the backbone runs once for each image whose features are missing in the store."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from stores.features.recipe import Recipe
from stores.features.store import FeatureStore
from stores.manifest import Manifest, Split
from stores.storage.location import StoreLike
from stores.storage.publish import check_writable
from tasks.execution.freed_memory import give_back
from tasks.execution.steps import quote, task
from tasks.features.engines import Job, load_engine
from tasks.features.engines.choice import choose_engine
from tasks.features.new_files import NewFiles
from tasks.features.request import BATCH_SIZE, SHARD_BYTES, SHARD_SIZE
from tasks.features.shard_work import ShardDone, ShardWork
from tasks.features.unusable_files import check_all_there, record_rejections_task
from tasks.features.version_check import check_producers_task
from tasks.images.pixel_batches import ImageFiles, Rejection

ComputeShards = Callable[[Sequence[ShardWork]], Iterable[ShardDone]]
# Gives, for a block, what computes the shards of so many images of a data set of that name.
Shards = Callable[[int, str], AbstractContextManager[ComputeShards]]


@dataclass(frozen=True)
class Missing:
    """Images whose features are missing for the same recipes, or files that are not known yet."""

    job: Job
    images: ImageFiles | NewFiles


def find_missing(
    manifest: Manifest, job: Job, *, store: StoreLike, splits: Sequence[Split] = (), views: int = 0
) -> list[Missing]:
    """Return the images to compute, grouped by their missing recipes; nothing is computed.

    Looks for the images of the splits (default: all) and `views` augmented views of each train
    image. TensorFlow is not imported.
    """
    needed = [(manifest.select(*splits), 0)]
    train = manifest.select("train") if views else needed[0][0]
    needed += [(train, view) for view in range(1, views + 1)]
    stored = [FeatureStore(store, recipe) for recipe in job.recipes]
    # Of each image one number: a bit for each recipe whose features are missing.
    missing = [
        sum(
            some.missing(images.keys, views=view).astype(np.int64) << n
            for n, some in enumerate(stored)
        )
        for images, view in needed
    ]
    patterns = sorted(set().union(*(np.unique(some).tolist() for some in missing)) - {0})
    return [
        Missing(
            replace(job, recipes=_chosen(job, pattern)),
            ImageFiles.joined(
                ImageFiles.of(images, view=view).where(some == pattern)
                for (images, view), some in zip(needed, missing, strict=True)
            ),
        )
        for pattern in patterns
    ]


def plan_shards(
    missing: Missing,
    manifest: Manifest,
    *,
    batch_size: int = BATCH_SIZE,
    shard_size: int = SHARD_SIZE,
) -> list[ShardWork]:
    """Split missing images into shards of at most `shard_size` rows and SHARD_BYTES bytes.

    Builds the engine, to know the size of a row. Raises InputError if it cannot be built, and
    StoreReadOnly if the shards cannot be written.
    """
    for recipe in missing.job.recipes:
        check_writable(FeatureStore(missing.job.store, recipe).folder)
    shapes = load_engine(missing.job).feature_shapes
    row_bytes = 4 * sum(int(np.prod(shape, dtype=np.int64)) for shape in shapes)
    size = max(1, min(shard_size, SHARD_BYTES // row_bytes))
    count = len(missing.images)
    features = ", ".join(recipe.tap for recipe in missing.job.recipes)
    return [
        ShardWork(
            missing.job,
            manifest.folder,
            missing.images[start : start + size],
            batch_size,
            about=f"{start + 1} to {min(start + size, count)} of {count} images of {manifest.name} "
            f"by {missing.job.recipes[0].backbone} {features}",
        )
        for start in range(0, count, size)
    ]


find_missing_task = task(
    name="find missing", task_run_name="find missing features of {manifest.name}"
)(find_missing)
plan_shards_task = task(name="plan shards", task_run_name="plan shards of {manifest.name}")(
    plan_shards
)


def _chosen(job: Job, pattern: int) -> tuple[Recipe, ...]:
    return tuple(recipe for n, recipe in enumerate(job.recipes) if pattern >> n & 1)


@dataclass(frozen=True)
class Extraction:
    """The result of an extraction."""

    manifest: Manifest  # without the rejected files
    shards: tuple[ShardDone, ...] = ()
    compared: int = 0  # rows computed again, to compare software versions

    @property
    def rejected(self) -> list[Rejection]:
        """The files that were rejected."""
        return [rejection for shard in self.shards for rejection in shard.rejected]

    def without_results(self) -> Self:
        """Return the same without the results of new files: of millions they take much memory."""
        return replace(self, shards=tuple(replace(shard, examined=None) for shard in self.shards))


def compute_missing(
    manifest: Manifest,
    job: Job,
    *,
    shards: Shards,
    batch_size: int = BATCH_SIZE,
    shard_size: int = SHARD_SIZE,
) -> Extraction:
    """Compute and store the missing features of a job, shard by shard.

    A file that cannot be used is marked as rejected in the manifest. It may have a duplicate that
    can be used, so that the search is repeated then. Raises as `extract_shard`, `plan_shards` and
    `check_producers`.
    """
    done, compared = list[ShardDone](), 0
    sizes = {"batch_size": batch_size, "shard_size": shard_size}
    while missing := find_missing_task(quote(manifest), quote(job), store=job.store):
        found = _compute(missing, manifest, shards, sizes)
        done, compared = [*done, *found.shards], compared + found.compared
        if not found.rejected:
            break
        manifest = record_rejections_task(quote(manifest), quote(found.rejected), store=job.store)
    return Extraction(manifest, tuple(done), compared)


def compute_new(
    manifest: Manifest,
    files: NewFiles,
    job: Job,
    *,
    shards: Shards,
    batch_size: int = BATCH_SIZE,
    shard_size: int = SHARD_SIZE,
) -> Extraction:
    """Check files that were not read yet, and compute and store features of those without any.

    `manifest` is the data set as it is going to be; its keys are those of the files where other
    versions made features in the store (see `made_by_others`). The shards have the results of all
    files. Raises as `compute_missing`.
    """
    sizes = {"batch_size": batch_size, "shard_size": shard_size}
    return _compute([Missing(job, files)], manifest, shards, sizes)


def compute_needed(
    manifest: Manifest,
    job: Job,
    *,
    splits: Sequence[Split],
    views: int = 0,
    shards: Shards,
) -> Extraction:
    """Compute the missing features of images that are all required.

    `splits` and `views` are as for `find_missing`. Raises InputError for a file that cannot be
    used; the manifest is not changed.
    """
    missing = find_missing_task(
        quote(manifest), quote(job), store=job.store, splits=splits, views=views
    )
    done = _compute(missing, manifest, shards, {}) if missing else Extraction(manifest)
    check_all_there(done.rejected)
    return done


def _compute(
    missing: Sequence[Missing], manifest: Manifest, shards: Shards, sizes: dict[str, int]
) -> Extraction:
    give_back()  # what the tables of millions of rows took while they were made
    images = sum(len(group.images) for group in missing)
    groups, done = list[Missing](), list[ShardDone]()
    for group in missing:
        groups.append(replace(group, job=choose_engine(group.job, len(group.images))))
    with shards(images, manifest.name) as compute:
        compared = sum(
            check_producers_task(quote(group.job), quote(manifest), store=group.job.store)
            for group in groups
        )
        for group in groups:
            done += compute(plan_shards_task(quote(group), quote(manifest), **sizes))
    give_back()  # what the threads took
    return Extraction(manifest, tuple(done), compared)
