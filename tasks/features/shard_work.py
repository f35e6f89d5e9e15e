"""The extraction of one shard: the backbone runs on its images, and the features are stored."""

import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stores.features.recipe import Recipe
from stores.features.shard import Producer
from stores.features.store import FeatureStore
from stores.keys import Rows
from stores.storage.location import StoreLike
from tasks.datasets.known_files import examined_table
from tasks.errors import ExtractionError
from tasks.execution.cancellation import stop_if_requested
from tasks.execution.progress import advance
from tasks.execution.steps import task
from tasks.features.decoders import with_decoders
from tasks.features.engines import Job, load_engine
from tasks.features.feature_batches import feature_batches
from tasks.features.new_files import NewFiles, new_batches
from tasks.images.image_check import Examined
from tasks.images.pixel_batches import ImageFile, PixelBatch, Rejection, pixel_batches

# Only one shard computes at a time. While it is written, the next one computes, whose first batches
# are already decoded. So a crash loses little more than one shard, and memory is limited.
_turn = threading.Lock()


class ShardWork:
    """The images of one shard, or new files, in one folder, for one job: the argument of a task.

    It is not a dataclass: Prefect and Dask would traverse the fields of every image, which takes
    longer than to send them.
    """

    def __init__(
        self,
        job: Job,
        folder: str,
        images: Sequence[ImageFile] | NewFiles,
        batch_size: int,
        *,
        about: str,
    ) -> None:
        self.job = job
        self.folder = folder
        self.images = images
        self.batch_size = batch_size
        self.about = about  # a description for the user

    def __dask_tokenize__(self) -> str:
        # Dask runs tasks with the same token only once.
        return self.about


@dataclass(frozen=True)
class ShardDone:
    """The result of a shard."""

    computed: int
    checked: int  # rows that were computed only for a comparison
    rejected: tuple[Rejection, ...]
    producer: Producer
    # Of new files: their results in the order of these, with the columns of EXAMINED except the
    # path, and `computed`.
    examined: pa.Table | None = None

    @property
    def files(self) -> int:
        """The number of files that it came from."""
        new = self.examined
        return self.computed + len(self.rejected) if new is None else len(new)


def extract_shard(work: ShardWork, *, store: StoreLike) -> ShardDone:
    """Compute and store one shard of each of the job's recipes.

    A file that cannot be used is left out and reported; of new files, the results of all are.
    Raises ExtractionError if the engine returns invalid features, StoreError if they cannot be
    stored. Then this shard is not stored for that recipe.
    """
    engine = load_engine(work.job)
    recipes = work.job.recipes
    done: list[ImageFile] = []
    rejected: list[Rejection] = []
    results: list[Examined] = []
    decoders: set[str] = set()
    rows = [
        np.empty((len(work.images), *shape), recipe.dtype)
        for shape, recipe in zip(engine.feature_shapes, recipes, strict=True)
    ]
    with _decoded(work) as decoded, closing(_in_turn(decoded)) as batches:
        for batch, computed in feature_batches(batches, engine):
            rejected += batch.rejected
            results += batch.examined
            decoders |= batch.decoders
            filled = slice(len(done), len(done) + len(batch.images))
            for recipe, kept, new in zip(recipes, rows, computed, strict=True):
                kept[filled] = checked(new, recipe, batch.images)
            done += batch.images
            advance(batch.files)
            stop_if_requested()
        producer = with_decoders(engine.producer, decoders)
        if done:
            keys, views = [image.key for image in done], np.array([image.view for image in done])
            for recipe, kept in zip(recipes, rows, strict=True):
                FeatureStore(store, recipe).write(
                    keys, kept[: len(keys)], views=views, producer=producer
                )
    examined = _examined(work.images, results, done) if isinstance(work.images, NewFiles) else None
    return ShardDone(len(done), engine.take_checked(), tuple(rejected), producer, examined)


def _decoded(work: ShardWork) -> AbstractContextManager[Iterator[PixelBatch]]:
    """Return the batches of a shard; of new files each is checked, too."""
    images, folder = work.images, Path(work.folder)
    if isinstance(images, NewFiles):
        return new_batches(images, folder, work.job, batch_size=work.batch_size)
    return pixel_batches(images, folder, work.job.recipes[0], batch_size=work.batch_size)


def _examined(files: NewFiles, results: list[Examined], done: list[ImageFile]) -> pa.Table:
    table = examined_table(files.paths.to_pylist(), results)
    computed = pa.array([image.path for image in done], pa.string())
    table = table.append_column("computed", pc.is_in(table["path"], computed))
    return table.drop_columns("path")


def _in_turn(batches: Iterable[PixelBatch]) -> Generator[PixelBatch, None, None]:
    """Yield batches while no other shard computes; the last ones are then still in computation."""
    with _turn:
        yield from batches


def checked(rows: NDArray[np.float32], recipe: Recipe, images: Sequence[ImageFile]) -> Rows:
    """Return an engine's rows in the stored dtype; raises ExtractionError that names bad images."""
    with np.errstate(over="ignore"):
        stored = rows.astype(recipe.dtype, copy=False)
    for values, what, fix in (
        (rows, "NaN or infinity", "check the weights and the preprocessing"),
        (stored, f"values too large for {recipe.dtype}", "use --dtype float32"),
    ):
        finite = np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
        if not finite.all():
            bad = [images[number].path for number in np.flatnonzero(~finite).tolist()]
            raise ExtractionError(
                f"recipe {recipe}: the engine returned {what} for {len(bad)} of {len(images)} "
                f"images of a batch ({', '.join(map(repr, bad[:3]))}); this shard was not stored; "
                f"{fix}"
            )
    return stored


extract_shard_task = task(name="extract shard", task_run_name="extract {work.about}")(extract_shard)
