"""The index finds what an exact search does, but for pairs that are hardly similar."""

import numpy as np
import pytest

from tasks.evaluation import likeness, near_duplicates
from tasks.evaluation.indexed_pairs import indexed_pairs
from tasks.evaluation.similar_pairs import similar_pairs, unit

faiss = pytest.importorskip("faiss", reason="needs the extra index")


def bursts(count, width=64):
    """Return vectors of 100 kinds, a tenth of which have four others near them, each farther."""
    rng = np.random.default_rng(0)
    scale = (1 / np.sqrt(1 + np.arange(width))).astype("f4")
    kinds = rng.standard_normal((100, width), dtype="f4")[rng.integers(0, 100, count)]
    rows = (0.7 * kinds + rng.standard_normal((count, width), dtype="f4")) * scale
    things = count // 10
    for n in range(1, 5):
        noise = rng.standard_normal((things, width), dtype="f4") * scale
        rows[n * things : (n + 1) * things] = rows[:things] + 0.15 * n * noise
    return unit(rows - rows.mean(axis=0))


def pairs(found):
    return set(zip(found.first.tolist(), found.second.tolist(), strict=True))


class Blocks:
    """Vectors in memory, as blocks."""

    def __init__(self, rows):
        self.rows, (self.count, self.width) = rows, rows.shape

    def __iter__(self):
        return iter(np.array_split(self.rows, 3))


def mirror(rows):
    return rows[:, ::-1]


def test_nearly_all_pairs_are_found_each_once_and_as_similar():
    rows = bursts(6000)
    exact = similar_pairs(rows, mirror, limit=0.8, most=10**6)
    found = indexed_pairs(Blocks(rows), mirror, limit=0.8, most=10**6)
    assert len(pairs(exact)) > 5000
    assert len(pairs(found)) == len(found.first)
    assert len(pairs(found) & pairs(exact)) >= 0.97 * len(exact.first)
    assert (found.first < found.second).all()
    assert (np.diff(found.similarity) <= 0).all()
    one, other = rows[found.first], rows[found.second]
    either = np.maximum((one * other).sum(axis=1), (one * mirror(other)).sum(axis=1))
    np.testing.assert_allclose(found.similarity, either, atol=0.005)
    assert found.left_out == 0


def test_the_most_similar_are_kept_and_the_others_counted(monkeypatch):
    rows = Blocks(bursts(3000))
    every = indexed_pairs(rows, limit=0.8, most=10**6)
    few = indexed_pairs(rows, limit=0.8, most=40)
    np.testing.assert_array_equal(few.similarity, every.similarity[:40])
    assert few.left_out >= 0.9 * (len(every.first) - 40)


def test_more_images_than_can_be_compared_are_indexed_and_told_of(monkeypatch):
    monkeypatch.setattr(likeness, "MOST_COMPARED", 400)
    monkeypatch.setattr(near_duplicates, "MOST_COMPARED", 400)
    rows = np.random.default_rng(0).standard_normal((500, 64), dtype="f4")
    rows[490:] = rows[:10]
    blank = np.full((500, 16, 16), 7, "u1")
    found = near_duplicates.near_duplicates(rows, blank, np.zeros(500, int), ["train"] * 500)
    assert {(pair.first, pair.second) for pair in found.within} == {(n, 490 + n) for n in range(10)}
    assert "500 images are compared by an index" in found.untold[0]
