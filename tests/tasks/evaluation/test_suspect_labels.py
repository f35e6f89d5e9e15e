import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores.keys import ImageKey, as_keys
from tasks.evaluation.split_result import SplitResult
from tasks.evaluation.suspect_labels import suspects, suspects_csv
from tests.support.samples import few


def result(scores, true, classes=("cat", "dog")):
    scores, true = np.array(scores, float), np.array(true)
    keys = as_keys(ImageKey.of(str(n).encode()) for n in range(len(true)))
    return SplitResult("validation", classes, keys, true, scores.argmax(axis=1), scores)


def test_the_most_contradicted_label_comes_first():
    told = result([[0.9, 0.1], [0.4, 0.6], [0.05, 0.95], [0.2, 0.8]], [0, 0, 0, 1])
    found = suspects(told)
    assert [suspect.key for suspect in found] == [bytes(told.keys[n]) for n in (2, 1)]
    assert (found[0].label, found[0].suggested) == ("cat", "dog")
    assert found[0].margin == pytest.approx(0.9)
    # Of the one image that is labelled a dog the head is sure by 0.8.
    assert [suspect.likely for suspect in found] == [True, False]


def test_margins_are_ranked_as_probabilities_are():
    found = suspects(result([[2.0, -1.0], [-3.0, 1.0], [-1.0, 0.5]], [0, 0, 0]))
    assert [suspect.margin for suspect in found] == [4.0, 1.5]
    assert not any(suspect.likely for suspect in found)  # there is no dog to be as sure of


@few
@given(st.integers(1, 40), st.integers(2, 4), st.integers(0, 1000))
def test_suspects_are_the_mistakes_and_no_other(count, classes, seed):
    rng = np.random.default_rng(seed)
    names = tuple(map(str, range(classes)))
    told = result(rng.random((count, classes)), rng.integers(0, classes, count), names)
    found = suspects(told)
    assert len(found) == len(told.keys) - told.correct
    margins = [suspect.margin for suspect in found]
    assert margins == sorted(margins, reverse=True)


def test_the_table_names_each_file():
    told = result([[0.05, 0.95], [0.9, 0.1]], [0, 0])
    content = suspects_csv(suspects(told), {bytes(told.keys[0]): 'cats/a, "b".jpg'})
    (row,) = csv.DictReader(io.StringIO(content.decode()))
    assert row == {
        "path": 'cats/a, "b".jpg', "label": "cat", "suggested": "dog", "margin": "0.900000",
        "likely": "False",
    }  # fmt: skip
