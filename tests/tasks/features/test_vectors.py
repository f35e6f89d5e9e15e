import numpy as np
import pytest

from stores.features.store import FeatureStore
from stores.keys import ImageKey
from tasks.features.vectors import averaged, row_blocks, vectors
from tests.support.samples import RECIPE


@pytest.mark.parametrize("dtype", ["f4", "f2"])
def test_maps_are_averaged_over_their_places(dtype):
    rows = np.arange(2 * 3 * 3 * 4).reshape(2, 3, 3, 4).astype(dtype)
    np.testing.assert_allclose(averaged(rows), rows.astype("f4").mean(axis=(1, 2)), rtol=1e-6)
    flat = rows[:, 0, 0]
    np.testing.assert_array_equal(averaged(flat), flat)
    assert averaged(flat).dtype == np.float32


def test_stored_features_come_in_the_order_of_the_keys_whole_or_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("tasks.features.vectors._MOST_AT_ONCE", 3)
    keys = [ImageKey.of(bytes([n])) for n in range(8)]
    rows = np.random.default_rng(0).normal(size=(8, 2, 2, 5)).astype("f4")
    store = FeatureStore(tmp_path, RECIPE)
    store.write(keys, rows)
    asked = np.array([5, 0, 7, 2, 1])
    wanted = [keys[n] for n in asked]
    expected = rows.mean(axis=(1, 2))[asked]
    np.testing.assert_allclose(vectors(store, wanted), expected, rtol=1e-5)
    blocks = list(row_blocks(store, wanted))
    assert [len(at) for at, _ in blocks] == [3, 2]
    joined = np.concatenate([averaged(some) for _, some in blocks])
    np.testing.assert_allclose(joined, expected, rtol=1e-5)
