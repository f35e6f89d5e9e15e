"""Names that nobody can tell apart are refused, shown so that one sees how they differ."""

from pathlib import Path

import pytest

from tasks.datasets.class_names import check_distinct, check_same
from tasks.errors import InputError

COMPOSED, TAKEN_APART = "caf\u00e9", "cafe\u0301"


@pytest.mark.parametrize(
    ("one", "other"),
    [(COMPOSED, TAKEN_APART), ("\u212b", "\u00c5"), ("cat", "cat "), ("big cat", "big  cat")],
)
def test_two_classes_that_read_as_one_are_refused(one, other):
    with pytest.raises(InputError, match="look the same") as error:
        check_distinct(Path("pets"), sorted([one, other, "dog"]))
    assert ascii(one) in str(error.value)
    assert ascii(other) in str(error.value)


@pytest.mark.parametrize("names", [("Cat", "cat"), ("ﬁn", "fin"), ("cat_1", "cat 1"), ("1", "①")])
def test_names_that_differ_for_a_reader_stay_two_classes(names):
    check_distinct(Path("pets"), names)


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        (COMPOSED, TAKEN_APART, "look the same"),
        ("Cat", "cat", "differ in case only"),
        ("cat", "cat ", "look the same"),
    ],
)
def test_lists_that_look_the_same_show_where_they_differ(one, other, why):
    with pytest.raises(InputError) as error:
        check_same(Path("pets"), {"train/": [one, "dog"], "test/": [other, "dog"]})
    assert f"{one!a} and {other!a} {why}" in str(error.value)


def test_lists_that_differ_show_what_each_lacks():
    with pytest.raises(InputError) as error:
        check_same(Path("pets"), {"train/": ["cat", "dog"], "val/": [*"abcdefgh", "dog"]})
    assert "Only in train/: 'cat'; only in val/: 'a', 'b', 'c', 'd', 'e' and 3 more" in str(
        error.value
    )


def test_the_same_lists_pass():
    check_same(Path("pets"), {"train/": ["a", "b"], "test/": ["a", "b"]})
