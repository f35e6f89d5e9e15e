from pathlib import Path

import numpy as np
import pytest

from stores.features.store import FeatureStore
from stores.keys import ImageKey
from tasks.errors import InputError
from tasks.evaluation.similar_pairs import unit
from tasks.exploration import similar_images as module
from tasks.exploration.similar_images import Asked, as_table, asked_images, similar_images
from tests.support.samples import RECIPE


@pytest.fixture
def known(pets_rows):
    """The keys of two of the images, and of one that is not among them, by a path."""
    return {
        Path("/nowhere") / path: ImageKey(key.tobytes())
        for path, key in zip(pets_rows.paths, pets_rows.images.keys, strict=True)
    }


def test_the_most_similar_are_told_with_label_and_split_but_not_the_image_itself(
    pets_rows, pets_store, known
):
    path = Path("/nowhere/cats/3")
    asked = asked_images([path], pets_rows, known)
    (found,) = similar_images([path], asked, pets_rows, 4)
    rows = unit(FeatureStore(pets_store, RECIPE).read(pets_rows.images.keys))
    place = pets_rows.paths.index("cats/3")
    order = [n for n in np.argsort(-(rows @ rows[place])).tolist() if n != place][:4]
    assert [one.path for one in found.similar] == [pets_rows.paths[n] for n in order]
    assert found.similar[0].cosine == pytest.approx(float(rows[order[0]] @ rows[place]), abs=1e-5)
    assert {one.label for one in found.similar} <= {"cats", "dogs"}
    assert found.itself == "cats/3"
    assert asked.cached == 1


def test_of_fewer_images_than_asked_for_all_are_told(pets_rows, known):
    paths = list(known)[:2]
    found = similar_images(paths, asked_images(paths, pets_rows, known), pets_rows, 100)
    assert [len(one.similar) for one in found] == [19, 19]


def test_an_image_that_cannot_be_used_is_told_with_the_reason(pets_rows, known, tmp_path):
    bad = tmp_path / "bad.png"
    bad.touch()
    paths = [bad, *list(known)[:1]]
    found = similar_images(paths, asked_images(paths, pets_rows, known), pets_rows, 2)
    assert found[0].reason
    assert not found[0].similar
    table = as_table(found).to_pylist()
    assert [row["rank"] for row in table] == [None, 1, 2]
    assert table[0]["reason"] == found[0].reason
    assert similar_images([bad], asked_images([bad], pets_rows, {}), pets_rows, 2)[0].reason


def test_more_than_can_be_compared_needs_an_index(pets_rows, known, monkeypatch):
    monkeypatch.setattr(module, "MOST_COMPARISONS", 10)
    monkeypatch.setattr(module, "can_index", lambda: False)
    asked = Asked(("a",), tuple(known.values())[:1], np.ones((1, 4), "f4"), {}, 0)
    with pytest.raises(InputError, match=r"pip install 'gargalo\[index\]'"):
        similar_images([Path("a")], asked, pets_rows, 2)


def test_an_index_finds_the_same_of_a_few(pets_rows, known, monkeypatch):
    pytest.importorskip("faiss", reason="needs the extra index")
    paths = list(known)
    asked = asked_images(paths, pets_rows, known)
    exact = similar_images(paths, asked, pets_rows, 3)
    monkeypatch.setattr(module, "MOST_COMPARISONS", 10)
    found = similar_images(paths, asked, pets_rows, 3)
    assert [[one.path for one in each.similar] for each in found] == [
        [one.path for one in each.similar] for each in exact
    ]
