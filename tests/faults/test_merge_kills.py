"""`kill -9` between any two steps of a merge: what is there is whole, and the next call goes on."""

import multiprocessing
import os
import signal
import warnings

import numpy as np
import pytest

from stores import FeatureStore, RunStore
from stores.merge.features import merge
from stores.merge.result import Merged
from tests.stores.merge.test_features import KEYS, ROWS, written
from tests.stores.test_manifest import PETS
from tests.support.runs import OTHER, look, publish
from tests.support.samples import RECIPE

KILLS = 12
ENDS = 1000  # a step that no merge comes to


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    root = tmp_path_factory.mktemp("theirs")
    written(root, [[0, 1, 2], [3, 4], [5, 6, 7]])
    PETS.write(root)
    runs = RunStore(root)
    publish(runs)
    publish(runs, OTHER)
    look(runs)
    return root


def merge_until(step, ours, theirs):
    """Merge, and die before the system call of that number that a commit is made of."""
    made = []

    def counted(call):
        def counting(*arguments, **folders):
            made.append(call)
            if len(made) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **folders)

        return counting

    os.fsync, os.rename = counted(os.fsync), counted(os.rename)
    merge(ours, theirs)
    (ours.parent / "steps").write_text(str(len(made)))


def exit_code(*arguments):
    child = multiprocessing.get_context("fork").Process(target=merge_until, args=arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads and fork: only we wait here
        child.start()
    child.join()
    return child.exitcode


def files(root):
    """Return what was taken over of a store: not what is derived, no lock, no draft."""
    places = ("features/*/shards/*", "datasets/*/manifest.parquet", "runs/*/**/*")
    found = [path for place in places for path in root.glob(place) if path.is_file()]
    names = {path: path.relative_to(root) for path in found}
    return {str(name): path.read_bytes() for path, name in names.items() if "tmp" not in name.parts}


def test_a_merge_that_is_killed_goes_on(tmp_path, theirs, some_of):
    assert exit_code(ENDS, tmp_path / "whole", theirs) == 0
    steps = int((tmp_path / "steps").read_text())
    assert files(tmp_path / "whole") == files(theirs)
    for step in some_of(range(1, steps + 1), KILLS):
        ours = tmp_path / str(step)
        assert exit_code(step, ours, theirs) == -signal.SIGKILL
        assert FeatureStore(ours, RECIPE).verify() == []
        assert not any(RunStore(ours).verify().values())
        assert merge(ours, theirs).damaged == []
        assert files(ours) == files(theirs)
        assert np.array_equal(FeatureStore(ours, RECIPE).read(KEYS), ROWS)
        assert merge(ours, theirs) == Merged()
