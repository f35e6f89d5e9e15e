"""One shard's worth of images: the backbone runs once for each, and the store keeps its rows."""

import threading
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from prefect import task

from stores.features.recipe import Recipe
from stores.features.shard import Producer
from stores.features.store import FeatureStore
from stores.keys import Rows
from tasks.errors import ExtractionError
from tasks.execution.cancellation import stop_if_requested
from tasks.execution.progress import advance
from tasks.execution.retries import RETRIED
from tasks.features.engines import Job, load_engine
from tasks.features.feature_batches import feature_batches
from tasks.images.pixel_batches import ImageFile, PixelBatch, Rejection, pixel_batches

# Shards take turns to compute. While one is written, the next has its turn, and the first batches
# of it have been decoded meanwhile: a crash costs one shard's work and little of the next, and what
# waits is bounded.
_turn = threading.Lock()


class ShardWork:
    """One shard's worth of images, in one folder, for one job: what a task does.

    It is no dataclass: in each field of those, of each image, Prefect looks for futures and Dask
    for a name of the task, which takes them longer than to send it.
    """

    def __init__(
        self, job: Job, folder: str, images: Sequence[ImageFile], batch_size: int, *, about: str
    ) -> None:
        self.job = job
        self.folder = folder
        self.images = images
        self.batch_size = batch_size
        self.about = about  # which of which, for people

    def __dask_tokenize__(self) -> str:
        # Of tasks with the same name Dask does one. No two have the same run of Prefect's.
        return self.about


@dataclass(frozen=True)
class ShardDone:
    """What came of a shard's work."""

    computed: int
    checked: int  # rows that were computed only to be compared
    rejected: tuple[Rejection, ...]
    producer: Producer


def extract_shard(work: ShardWork, *, store: Path) -> ShardDone:
    """Compute and store one shard of each of the job's recipes.

    A file that cannot be used is left out and reported. Raises ExtractionError where the engine
    gives something that is no feature, StoreError where the store refuses it; then nothing of
    this shard was stored for that recipe.
    """
    engine = load_engine(work.job)
    recipes = work.job.recipes
    done: list[ImageFile] = []
    rejected: list[Rejection] = []
    rows = [
        np.empty((len(work.images), *shape), recipe.dtype)
        for shape, recipe in zip(engine.feature_shapes, recipes, strict=True)
    ]
    with (
        pixel_batches(
            work.images, Path(work.folder), recipes[0], batch_size=work.batch_size
        ) as decoded,
        closing(_in_turn(decoded)) as batches,
    ):
        for batch, computed in feature_batches(batches, engine):
            rejected += batch.rejected
            filled = slice(len(done), len(done) + len(batch.images))
            for recipe, kept, new in zip(recipes, rows, computed, strict=True):
                kept[filled] = checked(new, recipe, batch.images)
            done += batch.images
            advance(len(batch.images) + len(batch.rejected))
            stop_if_requested()
    if done:
        keys, views = [image.key for image in done], np.array([image.view for image in done])
        for recipe, kept in zip(recipes, rows, strict=True):
            FeatureStore(store, recipe).write(
                keys, kept[: len(keys)], views=views, producer=engine.producer
            )
    return ShardDone(len(done), engine.take_checked(), tuple(rejected), engine.producer)


def _in_turn(batches: Iterable[PixelBatch]) -> Generator[PixelBatch, None, None]:
    """Yield batches while no other shard has its turn; it ends before the last were computed."""
    with _turn:
        yield from batches


def checked(rows: NDArray[np.float32], recipe: Recipe, images: Sequence[ImageFile]) -> Rows:
    """Return an engine's rows as they are stored; raises ExtractionError that names bad images."""
    with np.errstate(over="ignore"):
        stored = rows.astype(recipe.dtype, copy=False)
    for values, what, way_out in (
        (rows, "NaN or infinity", "check the weights and the preprocessing"),
        (stored, f"more than {recipe.dtype} can hold", "use --dtype float32"),
    ):
        finite = np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
        if not finite.all():
            bad = [images[number].path for number in np.flatnonzero(~finite).tolist()]
            raise ExtractionError(
                f"recipe {recipe}: the engine gave {what} for {len(bad)} of {len(images)} images "
                f"of a batch ({', '.join(map(repr, bad[:3]))}); nothing of the shard was stored; "
                f"{way_out}"
            )
    return stored


extract_shard_task = task(name="extract shard", task_run_name="extract {work.about}", **RETRIED)(
    extract_shard
)
