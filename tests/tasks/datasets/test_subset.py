from dataclasses import replace

import pytest

from stores.keys import ImageKey
from tasks.datasets import subset as draw
from tasks.datasets.subset import drawn_part
from tests.support.entries import entries_of, with_entries


def grown(manifest, number):
    """Return a data set with so many more cats to train with."""
    cat = entries_of(manifest)[0]
    more = [
        replace(cat, path=f"cats/new{n}", key=ImageKey.of(f"new{n}".encode()))
        for n in range(number)
    ]
    return with_entries(manifest, entries=(*entries_of(manifest), *more))


def test_a_small_data_set_is_drawn_whole_but_for_the_test_split(pets):
    part = drawn_part(pets)
    assert sorted(part.select().paths.to_pylist()) == sorted(
        pets.select("train", "validation").paths.to_pylist()
    )
    assert (part.classes, part.name, part.folder) == (pets.classes, pets.name, pets.folder)


def test_as_many_of_each_class_are_drawn(pets, monkeypatch):
    monkeypatch.setattr(draw, "MOST_IMAGES", 8)
    counts = drawn_part(grown(pets, 100)).counts()
    assert {name: sum(row.values()) for name, row in counts.items()} == {"cats": 4, "dogs": 4}


def test_adding_an_image_changes_one_of_the_drawn_at_the_most(pets, monkeypatch):
    monkeypatch.setattr(draw, "MOST_IMAGES", 8)
    before, after = (set(drawn_part(grown(pets, n)).select().paths.to_pylist()) for n in (50, 51))
    assert len(after - before) <= 1


def test_a_file_with_the_same_bytes_is_drawn_with_its_twin(pets):
    twin = replace(entries_of(pets)[0], path="cats/twin")
    part = drawn_part(with_entries(pets, entries=(*entries_of(pets), twin)))
    assert {"cats/0", "cats/twin"} <= {entry.path for entry in entries_of(part)}


@pytest.mark.parametrize("most", [1, 2])
def test_of_many_classes_some_are_drawn(pets, monkeypatch, most):
    monkeypatch.setattr(draw, "MOST_CLASSES", most)
    part = drawn_part(pets)
    assert len(part.classes) == most
    assert {entry.label for entry in entries_of(part)} == set(part.classes)
    assert set(part.select().labels.tolist()) == set(range(most))
