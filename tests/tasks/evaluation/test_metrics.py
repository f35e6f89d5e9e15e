import numpy as np
import pytest

from tasks.evaluation.metrics import calibration_error, metrics_of

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
    assert not metrics.keys() & {"log_loss", "rms_calibration_error"}
    assert metrics["roc_area"] == 1.0


def test_a_class_without_an_image_has_no_area():
    scores = np.column_stack([SCORES, np.zeros(4)])
    assert metrics_of(scores, LABELS, kind="logistic")["roc_area"] == 1.0
    assert "roc_area" not in metrics_of(scores[:3], LABELS[:3], kind="logistic")


def test_confidence_that_is_right_as_often_as_it_says_is_calibrated():
    scores = np.tile([0.75, 0.25], (400, 1))
    labels = np.tile(LABELS, 100)
    assert calibration_error(scores, labels).value == pytest.approx(0, abs=0.01)
    assert calibration_error(scores, 1 - labels).value == pytest.approx(0.5, abs=0.01)


def test_calibration_is_measured_bin_by_bin():
    scores = np.repeat([[1.0, 0.0], [0.6, 0.4]], 500, axis=0)
    labels = np.repeat([1, 0], 500)
    expected = np.sqrt((1.0**2 + 0.4**2) / 2)
    assert calibration_error(scores, labels).value == pytest.approx(expected)


def test_bins_of_one_image_say_nothing():
    assert calibration_error(np.array([[1.0, 0.0], [0.6, 0.4]]), np.array([1, 0])) is None
    assert "rms_calibration_error" not in metrics_of(SCORES[:1], LABELS[:1], kind="logistic")


@pytest.mark.parametrize(("images", "off"), [(64, 0.0), (64, 0.1), (64, 0.2), (300, 0.1)])
def test_few_images_do_not_make_a_head_look_worse_calibrated_than_it_is(images, off):
    """The plain expected calibration error of 64 images of a calibrated head is 0.11."""
    rng, found = np.random.default_rng(0), []
    for _ in range(200):
        confidence = rng.uniform(0.5, 1, images)
        labels = (rng.random(images) >= confidence - off).astype(np.int64)
        scores = np.column_stack([confidence, 1 - confidence])
        found.append(calibration_error(scores, labels, draws=200))
    assert np.mean([error.value for error in found]) == pytest.approx(off, abs=0.05)
    assert np.mean([error.low <= off <= error.high for error in found]) >= 0.92


@pytest.mark.parametrize(("confidence", "accurate"), [(0.8, 0.98), (0.9, 0.99), (0.9, 0.7)])
@pytest.mark.parametrize("images", [10, 30, 200])
def test_a_head_that_is_almost_always_right_is_not_certain_to_be(confidence, accurate, images):
    """The kind: an interval of no width, where nothing that was seen differs."""
    rng, found = np.random.default_rng(0), []
    scores = np.tile([confidence, 1 - confidence], (images, 1))
    for _ in range(200):
        labels = (rng.random(images) >= accurate).astype(np.int64)
        found.append(calibration_error(scores, labels, draws=200))
    off = abs(accurate - confidence)
    assert np.mean([error.low <= off <= error.high for error in found]) >= 0.9
    assert all(error.low < error.high for error in found)
