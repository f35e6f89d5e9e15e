import numpy as np
import pytest

from tasks.metrics import calibration_error, metrics_of

LABELS = np.array([0, 0, 0, 1])
SCORES = np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.3, 0.7]])


def test_the_metrics_of_a_small_table():
    metrics = metrics_of(SCORES, LABELS, kind="logistic")
    assert metrics["accuracy"] == 0.75
    assert metrics["balanced_accuracy"] == pytest.approx((2 / 3 + 1) / 2)
    assert metrics["macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2)
    assert metrics["roc_area"] == 1.0
    assert metrics["log_loss"] == pytest.approx(-np.log([0.9, 0.8, 0.4, 0.7]).mean())


def test_margins_have_no_log_loss_and_no_calibration():
    metrics = metrics_of(SCORES - 0.5, LABELS, kind="svm")
    assert not metrics.keys() & {"log_loss", "calibration_error"}
    assert metrics["roc_area"] == 1.0


def test_a_class_without_an_image_has_no_area():
    scores = np.column_stack([SCORES, np.zeros(4)])
    assert metrics_of(scores, LABELS, kind="logistic")["roc_area"] == 1.0
    assert "roc_area" not in metrics_of(scores[:3], LABELS[:3], kind="logistic")


def test_confidence_that_is_right_as_often_as_it_says_is_calibrated():
    scores = np.tile([0.75, 0.25], (4, 1))
    assert calibration_error(scores, LABELS) == pytest.approx(0)
    assert calibration_error(scores, 1 - LABELS) == pytest.approx(0.5)


def test_calibration_is_measured_bin_by_bin():
    scores = np.array([[1.0, 0.0], [0.6, 0.4]])
    assert calibration_error(scores, np.array([1, 0])) == pytest.approx((1.0 + 0.4) / 2)
