from itertools import pairwise

import numpy as np
import pytest

from tasks.errors import InputError
from tasks.evaluation.prediction_sets import HeldOut, held_out, needed, set_rule, strangeness

NAMES = ("cats", "dogs", "birds")


def drawn(count, seed=0, sharpness=3.0):
    """Return probabilities, and labels drawn by them."""
    rng = np.random.default_rng(seed)
    found = rng.dirichlet([1 / sharpness] * len(NAMES), count)
    return found, np.array([rng.choice(len(NAMES), p=row) for row in found])


def test_a_class_is_as_strange_as_it_is_improbable_or_as_those_before_it_are_probable():
    rows = np.array([[0.5, 0.2, 0.3], [0.4, 0.4, 0.2], [1.0, 0.0, 0.0]])
    assert strangeness(rows, "lac") == pytest.approx(1 - rows)
    expected = [[0, 0.8, 0.5], [0, 0, 0.8], [0, 1, 1]]
    assert strangeness(rows, "aps") == pytest.approx(np.array(expected))


@pytest.mark.parametrize(
    ("coverage", "images"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99), (0.999, 999)]
)
def test_as_many_images_are_needed_as_the_coverage_is_near_one(coverage, images):
    assert needed(coverage) == images
    alone = HeldOut(np.zeros(images, np.int64), *np.linspace(0, 1, 2 * images).reshape(2, -1))
    rule = set_rule(alone, NAMES, coverage)
    assert rule.limits.tolist() == [alone.lac.max()] * 3
    few = HeldOut(alone.labels[1:], alone.lac[1:], alone.aps[1:])
    with pytest.raises(InputError, match=f"needs {images:,} held-out images, found {images - 1:,}"):
        set_rule(few, NAMES, coverage)


def test_the_highest_coverage_that_is_offered_is_one_that_is_accepted():
    found = held_out(*drawn(40))
    with pytest.raises(InputError, match=r"give at most --coverage 0\.975, or"):
        set_rule(found, NAMES, 0.99)
    assert set_rule(found, NAMES, 0.975).images == 40


@pytest.mark.parametrize("kind", ["lac", "aps"])
@pytest.mark.parametrize("by", [None, "class"])
def test_sets_hold_the_true_class_as_often_as_they_say(kind, by):
    probabilities, labels = drawn(4000)
    wrong = probabilities**3 / (probabilities**3).sum(axis=1, keepdims=True)  # far too sure
    rule = set_rule(held_out(wrong[:2000], labels[:2000]), NAMES, 0.8, kind=kind, by=by)
    sets = rule.sets(wrong[2000:])
    holds = sets[np.arange(2000), labels[2000:]]
    parts = [holds] if by is None else [holds[labels[2000:] == n] for n in range(3)]
    assert all(part.mean() == pytest.approx(0.8, abs=0.05) for part in parts)
    assert (sets.sum(axis=1) > 0).all() or kind == "lac"


def test_a_higher_coverage_has_larger_sets():
    probabilities, labels = drawn(500)
    found = held_out(probabilities, labels)
    sizes = [set_rule(found, NAMES, c).sets(probabilities).sum() for c in (0.5, 0.8, 0.9, 0.99)]
    assert all(less < more for less, more in pairwise(sizes))


def test_a_group_counts_once_whatever_its_size():
    strange = np.array([0.9] * 100 + [0.1] * 9)
    groups = np.array([0] * 100 + list(range(1, 10)))
    none = np.zeros(109, np.int64)
    assert set_rule(HeldOut(none, strange, strange), NAMES, 0.8).limits[0] == 0.9
    rule = set_rule(HeldOut(none, strange, strange, groups), NAMES, 0.8)
    assert (rule.limits[0], rule.by) == (0.1, "group")
    with pytest.raises(InputError, match="needs 99 held-out groups of images, found 10"):
        set_rule(HeldOut(none, strange, strange, groups), NAMES, 0.99)


def test_groups_of_one_image_each_are_as_none():
    probabilities, labels = drawn(60)
    alone = held_out(probabilities, labels)
    grouped = held_out(probabilities, labels, np.arange(60))
    limits = [set_rule(one, NAMES, 0.9).limits.tolist() for one in (alone, grouped)]
    assert limits[0] == limits[1]


def test_what_cannot_be_had_is_said():
    probabilities, labels = drawn(200)
    found = held_out(probabilities[labels < 2], labels[labels < 2])
    with pytest.raises(InputError, match=r"held-out images of class 'birds', found 0; train with"):
        set_rule(found, NAMES, 0.9, by="class")
    with pytest.raises(InputError, match="--coverage-by group: the run's predictions have no"):
        set_rule(found, NAMES, 0.9, by="group")
    for coverage in (0.0, 1.0, float("nan")):
        with pytest.raises(InputError, match="expected a share between 0 and 1"):
            set_rule(found, NAMES, coverage)
