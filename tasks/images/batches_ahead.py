"""Batches that threads load ahead of their use: enough that the engine never waits, and no more."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

# Batches decoded ahead of the engine: two keep it busy, and limit memory.
BATCHES_AHEAD = 2

B = TypeVar("B")


@contextmanager
def batches_ahead(
    load: Callable[[slice], B], count: int, *, batch_size: int
) -> Iterator[Iterator[B]]:
    """Yield an iterator over what `load` gives for each part of `count`, in order, loaded ahead."""
    with ThreadPoolExecutor(BATCHES_AHEAD, thread_name_prefix="decode") as pool:
        starts = iter(range(0, count, batch_size))
        ahead: deque[Future[B]] = deque()

        def decode_another() -> None:
            for start in islice(starts, 1):
                ahead.append(pool.submit(load, slice(start, start + batch_size)))

        def batches() -> Iterator[B]:
            while ahead:
                batch = ahead.popleft().result()
                decode_another()
                yield batch

        try:
            for _ in range(BATCHES_AHEAD):
                decode_another()
            yield batches()
        finally:
            pool.shutdown(cancel_futures=True)
