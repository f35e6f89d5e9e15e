import tempfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores import MissingFeatures
from tests.support.samples import a_store, few, shards, some_keys, some_rows


@few
@given(
    st.integers(1, 20),
    st.integers(1, 25),
    st.none() | st.integers(0, 2**32),
    st.lists(st.integers(0, 5), max_size=20),
    st.sampled_from([0, 300, 2**20]),
)
def test_batches_are_a_permutation_of_read(count, batch_size, seed, numbers, ahead):
    with tempfile.TemporaryDirectory() as root, pytest.MonkeyPatch.context() as patch:
        patch.setattr("stores.features.checked_read._AHEAD_BYTES", ahead)
        store, keys, _ = a_store(root)
        store.write(some_keys(5, seed=1), some_rows(5, seed=1))
        wanted = np.concatenate([keys, some_keys(5, seed=1)])[[*numbers, *range(count % 12)]]
        batches = list(store.batches(wanted, batch_size=batch_size, shuffle_seed=seed))
        positions = np.concatenate([np.empty(0, int), *(places for places, _ in batches)])
        assert sorted(positions) == list(range(len(wanted)))
        assert seed is not None or list(positions) == sorted(positions)
        assert all(len(rows) == batch_size for _, rows in batches[:-1])
        for places, rows in batches:
            assert np.array_equal(rows, store.read(wanted[places]))


def test_a_seed_shuffles_always_alike_and_another_otherwise(tmp_path):
    store, keys, _ = a_store(tmp_path, 50)

    def order(seed):
        batches = store.batches(keys, batch_size=7, shuffle_seed=seed)
        return np.concatenate([positions for positions, _ in batches]).tolist()

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert order(1) != list(range(50))


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_has_at_least_one_row(tmp_path, size):
    store, keys, _ = a_store(tmp_path)
    with pytest.raises(ValueError, match="batch_size"):
        list(store.batches(keys, batch_size=size))


def test_batches_ask_for_all_before_the_first(tmp_path):
    store, keys, _ = a_store(tmp_path)
    with pytest.raises(MissingFeatures):
        next(store.batches([*keys, bytes(32)], batch_size=1))


@pytest.mark.usefixtures("one_by_one")
def test_the_store_may_be_used_between_batches(tmp_path, caplog):
    store, keys, rows = a_store(tmp_path)
    batches = store.batches(keys, batch_size=2)
    read = [next(batches)[1]]
    first, seed = shards(store)[0].stem, 1
    while store.write(some_keys(4, seed), some_rows(4, seed=seed)) > first:
        seed += 1  # until a shard comes before the one that is read
    store.missing(keys)
    read += [batch for _, batch in batches]
    assert np.array_equal(np.concatenate(read), rows)
    assert not caplog.records
