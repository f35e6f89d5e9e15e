"""The figures of several labels and of numbers, beside those of scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics

from tasks.evaluation.figures import figures_of, main_figure
from tasks.evaluation.label_thresholds import best_thresholds, predicted_by_others


@pytest.fixture(scope="module")
def labels():
    """Scores and truth of 60 images and 4 labels; no image has the last."""
    rng = np.random.default_rng(0)
    truth = (rng.random((60, 4)) < [0.5, 0.3, 0.1, 0]).astype(np.int64)
    truth[0, 2] = 1
    return np.clip(0.3 * truth + 0.6 * rng.random((60, 4)), 0, 1), truth


def test_figures_of_labels_are_those_of_sklearn(labels):
    scores, truth = labels
    found = figures_of(scores, truth, "labels", kind="dense")
    some, said = truth[:, :3], (scores >= 0.5).astype(int)
    assert found == pytest.approx(
        {
            "mean_average_precision": metrics.average_precision_score(some, scores[:, :3]),
            "macro_f1": metrics.f1_score(some, said[:, :3], average="macro"),
            "micro_f1": metrics.f1_score(truth, said, average="micro"),
            "exact_match": (truth == said).all(axis=1).mean(),
            "log_loss": metrics.log_loss(truth.ravel(), scores.ravel()),
        }
    )
    assert main_figure(scores, truth, "labels") == found["mean_average_precision"]
    margins = figures_of(scores - 0.5, truth, "labels", kind="svm")
    assert margins == {name: found[name] for name in found if name != "log_loss"}


def test_a_single_label_is_not_taken_for_two_classes(labels):
    scores, truth = labels
    found = figures_of(scores[:, :1], truth[:, :1], "labels", kind="dense")
    expected = metrics.f1_score(truth[:, 0], scores[:, 0] >= 0.5)
    assert found["macro_f1"] == found["micro_f1"] == pytest.approx(expected)


def test_labels_that_no_image_has_have_no_average_precision(labels):
    scores, truth = labels
    assert main_figure(scores, 0 * truth, "labels") is None
    found = figures_of(scores, 0 * truth, "labels", kind="dense")
    assert sorted(found) == ["exact_match", "log_loss", "micro_f1"]


def test_figures_of_numbers_are_those_of_sklearn():
    rng = np.random.default_rng(0)
    truth, said = rng.normal(size=(2, 50))
    found = figures_of(said[:, None], truth, "number", kind="ridge")
    assert found == pytest.approx(
        {
            "mean_absolute_error": metrics.mean_absolute_error(truth, said),
            "root_mean_squared_error": metrics.root_mean_squared_error(truth, said),
            "r2": metrics.r2_score(truth, said),
        }
    )
    assert main_figure(said[:, None], truth, "number") == found["mean_absolute_error"]
    assert "r2" not in figures_of(said[:, None], 0 * truth, "number", kind="ridge")


def test_a_threshold_has_the_best_f1_that_any_has(labels):
    scores, truth = labels
    scores = scores.round(1)  # many are equal
    found = best_thresholds(scores, truth, natural=0.5)
    for number in range(3):
        has, mine = truth[:, number], scores[:, number]
        every = [metrics.f1_score(has, mine >= at) for at in (*np.unique(mine), 0.5)]
        assert metrics.f1_score(has, mine >= found[number]) == max(every)
        assert found[number] not in mine
    assert found[3] == 0.5  # no image has it
    assert best_thresholds(truth * 1.0, truth, natural=0.5).tolist() == [0.5] * 4


def test_images_are_predicted_by_the_thresholds_of_others():
    """The kind: a figure that is measured on what its threshold was chosen by is too good."""
    scores = np.arange(10.0).reshape(10, 1)
    truth = (scores == 9).astype(np.int64)
    assert best_thresholds(scores, truth, natural=0.0).tolist() == [8.5]
    alone = predicted_by_others(scores, truth, natural=0.0)
    assert np.flatnonzero(alone).tolist() == [4, 8, 9]  # of 4 and 9, the others have none
