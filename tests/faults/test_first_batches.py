"""A new process whose first batches are computed at once, by several threads, does not hang."""

import sys
import threading

import numpy as np
import pytest

from tasks.execution.quiet_openvino import ov
from tests.faults.conftest import FULL
from tests.faults.extracting import in_child
from tests.tasks.features.engines.test_verified import engine_of, some_pixels


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A store with a converted model, which later processes trust from their first batch on."""
    store = tmp_path_factory.mktemp("kept")
    in_child(convert, store)
    return store


def convert(store):
    engine_of(store).compute(some_pixels(16))


def compute_at_once(store):
    sys.setswitchinterval(1e-6)
    engine, infer = engine_of(store), ov.InferRequest.infer
    rows = [None] * min(2, engine.parallel)
    gate = threading.Barrier(len(rows))

    def infer_at_once(*arguments, **options):
        gate.wait()
        return infer(*arguments, **options)

    def compute(number):
        (rows[number],) = engine.compute(some_pixels(2, seed=number))

    ov.InferRequest.infer = infer_at_once
    threads = [threading.Thread(target=compute, args=(n,)) for n in range(len(rows))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return engine.name, rows


@pytest.mark.parametrize("_process", range(20 if FULL else 5))
def test_the_first_batches_may_be_computed_at_once(kept, _process):
    name, rows = in_child(compute_at_once, kept, seconds=20)
    assert name == "openvino"
    assert all(np.isfinite(each).all() and len(each) == 2 for each in rows)
