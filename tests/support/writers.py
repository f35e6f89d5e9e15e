"""What other processes do to a store while a test looks on; they are started by `spawn`."""

import multiprocessing

import numpy as np

from stores import FeatureStore
from tests.support.samples import RECIPE, some_keys, some_rows

KEYS, ROWS = some_keys(60, seed=5), some_rows(60, seed=5)


def write_share(root, start, count, turns):
    """Write `count` rows from `start` on, a few at a time."""
    store = FeatureStore(root, RECIPE)
    for positions in np.array_split(np.arange(start, start + count), turns):
        store.write(KEYS[positions], ROWS[positions], producer={"engine": str(start)})


def at_once(root, shares):
    """Let one process for each share write at the same time."""
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=write_share, args=(root, *share)) for share in shares]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * len(shares)
