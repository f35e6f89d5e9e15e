"""ROC and precision-recall curves of a result: of each class that has both kinds of images."""

import re

import numpy as np
import pytest

from tasks.evaluation.split_result import SplitResult
from tasks.report.ranking_charts import MOST_CURVES, ranking_curves


def result(classes, true):
    true = np.array(true, np.int64)
    scores = np.random.default_rng(0).random((len(true), classes))
    scores[np.arange(len(true)), true] += 0.5
    names = tuple(f"class {n}" for n in range(classes))
    keys = np.zeros((len(true), 32), np.uint8)
    return SplitResult("test", names, keys, true, scores.argmax(axis=1), scores)


def legends(svg):
    return re.findall(r"\d\.\d{3} class \d+", svg)


@pytest.mark.parametrize(
    ("classes", "true", "curves"),
    [
        (2, [0, 1, 0, 1, 1], 1),  # the first class's is the mirror image
        (3, [0, 1, 2, 1, 0], 3),
        (3, [0, 1, 0, 1, 1], 2),  # none of the class without an image
        (15, list(range(15)) * 2, MOST_CURVES),
    ],
)
def test_there_is_a_curve_for_each_class_that_can_have_one(classes, true, curves):
    pictures = ranking_curves(result(classes, true))
    assert [len(legends(svg)) for svg in pictures] == [curves, curves]
    assert all(svg.startswith("<svg role=") and "http" not in svg for svg in pictures)


def test_without_images_of_two_classes_there_is_no_picture():
    assert ranking_curves(result(2, [1, 1])) == []
    assert ranking_curves(result(3, [])) == []
