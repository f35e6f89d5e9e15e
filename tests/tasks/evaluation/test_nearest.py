"""The search block by block finds what a sort of all cosines does."""

import numpy as np
import pytest

from tasks.evaluation.indexed_nearest import indexed_nearest
from tasks.evaluation.nearest import NOWHERE, nearest
from tasks.evaluation.similar_pairs import unit


def rows_of(count, seed=0, width=8):
    return np.random.default_rng(seed).normal(size=(count, width)).astype("f4")


def blocks(rows, size=7):
    for start in range(0, len(rows), size):
        yield np.arange(start, min(start + size, len(rows))), rows[start : start + size]


@pytest.mark.parametrize("queries_at_once", [2, 100])
def test_the_most_similar_are_found_whatever_the_blocks(monkeypatch, queries_at_once):
    monkeypatch.setattr("tasks.evaluation.nearest._QUERIES_AT_ONCE", queries_at_once)
    rows, queries = 3 * rows_of(60), unit(rows_of(5, seed=1))
    found = nearest(blocks(rows), queries, 4)
    every = queries @ unit(rows).T
    np.testing.assert_array_equal(found.places, np.argsort(-every, axis=1)[:, :4])
    np.testing.assert_allclose(found.cosines, -np.sort(-every, axis=1)[:, :4], rtol=1e-5)


def test_an_image_is_not_similar_to_itself_but_to_its_copy():
    rows = rows_of(20)
    rows[13] = 2 * rows[5]
    found = nearest(blocks(rows), unit(rows[[5, 6]]), 3, without=np.array([5, NOWHERE]))
    assert found.of(0)[0] == (13, pytest.approx(1.0))
    assert 5 not in dict(found.of(0))
    assert found.of(1)[0] == (6, pytest.approx(1.0))


def test_of_equals_the_first_is_first_and_beyond_the_last_there_is_nothing():
    rows = np.ones((9, 4), "f4")
    found = nearest(blocks(rows, 2), unit(rows[:1]), 20, without=np.array([3]))
    assert [place for place, _ in found.of(0)] == [0, 1, 2, 4, 5, 6, 7, 8]


def test_an_image_of_which_nothing_is_known_is_similar_to_none():
    rows = rows_of(6)
    rows[2] = 0
    (similarity,) = [
        cosine for place, cosine in nearest(blocks(rows), unit(rows[:1]), 6).of(0) if place == 2
    ]
    assert similarity == 0


def test_the_index_finds_nearly_all_and_not_the_image_itself():
    pytest.importorskip("faiss", reason="needs the extra index")
    rng = np.random.default_rng(0)
    kinds = rng.normal(size=(40, 32))[rng.integers(0, 40, 3000)]
    rows = (kinds + 0.5 * rng.normal(size=(3000, 32))).astype("f4")
    own = np.arange(200)
    exact = nearest(blocks(rows, 500), unit(rows[:200]), 5, without=own)
    found = indexed_nearest(blocks(rows, 500), rows[::2], 3000, unit(rows[:200]), 5, without=own)
    assert not (found.places == own[:, np.newaxis]).any()
    hits = [len(set(a) & set(b)) for a, b in zip(exact.places, found.places, strict=True)]
    assert np.mean(hits) >= 0.97 * 5
    np.testing.assert_allclose(found.cosines[:, 0], exact.cosines[:, 0], atol=0.02)
