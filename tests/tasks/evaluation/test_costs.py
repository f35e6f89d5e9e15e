import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tasks.errors import InputError
from tasks.evaluation.costs import costs_of

PETS = ("cats", "dogs")


def test_a_class_that_is_not_named_costs_1():
    assert costs_of(["b=5", "c=0.5"], ("a", "b", "c")).missed == (1.0, 5.0, 0.5)
    assert costs_of([], PETS) is None


def test_of_two_classes_the_second_is_positive():
    assert costs_of(["false-negative=4"], PETS) == costs_of(["dogs=4"], PETS)
    assert costs_of(["false-positive=4"], PETS) == costs_of(["cats=4"], PETS)
    assert costs_of(["dogs=4"], PETS).threshold == pytest.approx(1 / 5)
    assert costs_of(["x=4"], ("x", "y", "z")).threshold is None


@pytest.mark.parametrize(
    ("given", "classes", "expected"),
    [
        ("birds=5", PETS, "expected CLASS=NUMBER, with a class of cats, dogs, false-negative"),
        ("false-negative=5", ("a", "b", "c"), "with a class of a, b, c$"),
        ("dogs", PETS, "expected CLASS=NUMBER"),
        ("dogs=0", PETS, "expected a positive number. Received: '0'"),
        ("dogs=nan", PETS, "expected a positive number"),
        ("dogs=two", PETS, "expected a positive number. Received: 'two'"),
    ],
)
def test_what_is_no_cost_is_told(given, classes, expected):
    with pytest.raises(InputError, match=expected):
        costs_of([given], classes)


def test_a_cost_is_given_once_and_of_classes():
    with pytest.raises(InputError, match="'dogs' is given twice"):
        costs_of(["dogs=2", "false-negative=3"], PETS)
    with pytest.raises(InputError, match="one class each"):
        costs_of(["age=2"], ("age",), "number")


@given(arrays(np.float64, (5, 3), elements=st.floats(0.01, 1)), st.tuples(*[st.floats(0.1, 9)] * 3))
def test_no_class_has_a_smaller_expected_cost(scores, missed):
    probabilities = scores / scores.sum(axis=1, keepdims=True)
    costs = costs_of([f"{n}={cost!r}" for n, cost in enumerate(missed)], ("0", "1", "2"))
    expected = probabilities @ (np.array(missed)[:, np.newaxis] * (1 - np.eye(3)))
    chosen = expected[np.arange(5), costs.decide(probabilities)]
    assert chosen == pytest.approx(expected.min(axis=1))
