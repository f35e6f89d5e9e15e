"""Batches of features, computed by an engine, several at a time."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from stores.errors import StoreError
from tasks.errors import ExtractionError, InputError
from tasks.features.engines import Engine
from tasks.images.pixel_batches import PixelBatch


def feature_batches(
    batches: Iterable[PixelBatch], engine: Engine
) -> Iterator[tuple[PixelBatch, list[NDArray[np.float32]]]]:
    """Yield each batch with the engine's rows for each recipe, in order.

    `engine.parallel` batches are computed at once, and one more is waiting.
    """
    with ThreadPoolExecutor(engine.parallel, thread_name_prefix="compute") as pool:
        ahead: deque[tuple[PixelBatch, Future[list[NDArray[np.float32]]]]] = deque()
        try:
            for batch in batches:
                ahead.append((batch, pool.submit(_compute, engine, batch)))
                if len(ahead) > engine.parallel:
                    yield _computed(*ahead.popleft())
            while ahead:
                yield _computed(*ahead.popleft())
        finally:
            pool.shutdown(cancel_futures=True)


def _compute(engine: Engine, batch: PixelBatch) -> list[NDArray[np.float32]]:
    if not batch.images:  # all of its files were rejected
        return [np.empty((0, *shape), np.float32) for shape in engine.feature_shapes]
    return engine.compute(batch.pixels)


def _computed(
    batch: PixelBatch, rows: Future[list[NDArray[np.float32]]]
) -> tuple[PixelBatch, list[NDArray[np.float32]]]:
    try:
        return batch, rows.result()
    except (InputError, ExtractionError, StoreError, OSError):
        raise
    except Exception as error:  # any error of a library
        names = ", ".join(repr(image.path) for image in batch.images[:3])
        raise ExtractionError(
            f"the engine failed on a batch of {len(batch.images)} images ({names}): "
            f"{' '.join(str(error).split())[:300]}; this shard was not stored"
        ) from error
