"""Data sets of several labels and of numbers: their texts, counts, and what is no such data set."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores.errors import CorruptStore
from stores.manifest import Manifest
from stores.targets import labels_text, names_of, number_text
from tests.support.entries import MANIFEST, entry, with_entries

LABELS = {"target": "labels", "label_separator": "|", "classes": ("cat", "dog")}
NUMBER = {"target": "number", "classes": ("age",)}


def dataset(labels, **about):
    """Return a data set with an image of each label, in train."""
    rows = [entry(f"{n}.png", label=label, split="train") for n, label in enumerate(labels)]
    return with_entries(MANIFEST, rows, **about)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_written_in_one_way(value):
    assert float(number_text(value)) == value
    assert number_text(float(number_text(value))) == number_text(value)
    assert number_text(0.0) == number_text(-0.0)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_no_number(value):
    with pytest.raises(ValueError, match="not a finite number"):
        number_text(value)


@given(st.lists(st.text(st.characters(exclude_characters="|"), min_size=1)))
def test_labels_are_sorted_and_each_is_there_once(names):
    assert names_of(labels_text(names, "|"), "|") == sorted(set(names))


def test_several_labels_are_counted_each(tmp_path):
    found = dataset(["cat", "cat|dog", "", ""], **LABELS)
    found.write(tmp_path)
    assert Manifest.read(tmp_path, "pets") == found
    assert found.select("train").labels.tolist() == [[1, 0], [1, 1], [0, 0], [0, 0]]
    assert {name: row["train"] for name, row in found.counts().items()} == {"cat": 2, "dog": 1}
    summary = found.summary()
    assert (summary.train, summary.without_label["train"]) == (4, 2)
    page = found._repr_html_()
    assert "By label" in page
    assert "<td>none of them</td><td>2</td>" in page


def test_numbers_have_a_range(tmp_path):
    found = dataset(["1.0", "-2.5", "1.0"], **NUMBER)
    found.write(tmp_path)
    assert Manifest.read(tmp_path, "pets") == found
    assert found.select("train").labels.tolist() == [1.0, -2.5, 1.0]
    assert found.counts()["age"]["train"] == found.split_sizes()["train"] == 3
    (about,) = found.summary().numbers.values()
    assert vars(about) == {
        "images": 3,
        "smallest": -2.5,
        "mean": pytest.approx(-1 / 6),
        "largest": 1,
    }
    assert "<th>smallest</th>" in found._repr_html_()


@pytest.mark.parametrize(
    ("label", "about", "reason"),
    [
        ("dog|cat", LABELS, "not sorted"),
        ("cat|cat", LABELS, "is there twice"),
        ("cat|", LABELS, "label ''"),
        ("cow", LABELS, "label 'cow'"),
        ("cat", LABELS | {"label_separator": ""}, "separated by ''"),
        ("cat", {"label_separator": "|"}, "separated by"),
        ("1", NUMBER, "not a number as it is written"),
        ("nan", NUMBER, "not a finite number"),
        ("old", NUMBER, "could not convert"),
        ("1.0", NUMBER | {"classes": ("age", "size")}, "number of 2 names"),
        ("1.0", NUMBER | {"label_separator": "|"}, "separated by"),
        ("cat", {"target": "weather"}, "'weather'"),
        ("", LABELS | {"classes": ()}, "labels of 0 names"),
        ("", LABELS | {"classes": tuple(map(str, range(10_001)))}, "labels of 10001 names"),
    ],
)
def test_what_is_no_label_of_the_target_is_damage(tmp_path, label, about, reason):
    dataset([label], **about).write(tmp_path)
    with pytest.raises(CorruptStore, match=reason) as error:
        Manifest.read(tmp_path, "pets")
    assert "\n" not in str(error.value)
