"""The search in blocks finds what a search of all pairs at once does."""

import numpy as np
import pytest

from tasks.evaluation.similar_pairs import similar_pairs, unit


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr("tasks.evaluation.similar_pairs._ROWS_AT_ONCE", 7)
    monkeypatch.setattr("tasks.evaluation.similar_pairs._COLUMNS_AT_ONCE", 10)


def vectors(seed=0):
    return unit(np.random.default_rng(seed).normal(size=(60, 8)).astype("f4"))


def all_pairs(similarity, limit):
    first, second = np.nonzero(np.triu(similarity >= limit, 1))
    return set(zip(first.tolist(), second.tolist(), strict=True))


@pytest.mark.parametrize("mirror", [None, lambda rows: rows[:, ::-1]])
def test_blocks_find_each_pair_once(small_blocks, mirror):
    rows = vectors()
    both = rows @ rows.T if mirror is None else np.maximum(rows @ rows.T, rows @ mirror(rows).T)
    found = similar_pairs(rows, mirror, limit=0.5, most=10_000)
    pairs = list(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == all_pairs(both, 0.5)
    assert found.left_out == 0
    assert np.all(np.diff(found.similarity) <= 0)


def test_of_too_many_pairs_the_most_similar_are_kept_and_the_others_counted(small_blocks):
    rows = vectors()
    whole = similar_pairs(rows, limit=0.3, most=10_000)
    found = similar_pairs(rows, limit=0.3, most=20)
    assert found.first.tolist() == whole.first[:20].tolist()
    assert found.second.tolist() == whole.second[:20].tolist()
    assert found.left_out == len(whole.first) - 20
