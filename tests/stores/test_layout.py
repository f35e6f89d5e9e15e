"""Where a store is, and what is imported for it."""

import subprocess
import sys

import pytest

from stores.layout import is_store, locate
from tests.support.places import ROOT

READ = """
import sys
import numpy as np
from stores import FeatureStore, Manifest, RunStore
from tests.support.samples import RECIPE, some_keys, some_rows
store = FeatureStore(sys.argv[1], RECIPE)
store.write(some_keys(6), some_rows(6))
assert np.array_equal(FeatureStore.open(sys.argv[1]).read(some_keys(6)), some_rows(6))
print([name for name in sys.modules if name.startswith("stores.storage.remote")])
"""


def test_features_of_a_plain_folder_meet_no_remote_module(tmp_path):
    command = [sys.executable, "-c", READ, str(tmp_path / "store")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_a_location_is_located_as_itself(tmp_path):
    store = locate(tmp_path / "store")
    assert locate(store) is store
    assert str(store) == str(tmp_path / "store")
    assert not is_store(store)


@pytest.mark.parametrize("part", ["datasets", "features", "runs"])
def test_a_folder_with_a_part_of_a_store_is_one(tmp_path, part):
    (tmp_path / part).mkdir()
    assert is_store(locate(tmp_path))
