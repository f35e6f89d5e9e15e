import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.special import log_softmax, softmax

from tasks.evaluation.calibration import FEWEST, Calibration, calibrate, sigmoid_loss
from tasks.evaluation.metrics import calibration_error

CLASSES = 4


def answers(count, *, seed=0, sharpness=1.0):
    """Return the logarithms of true probabilities, times a sharpness, and labels drawn by them."""
    rng = np.random.default_rng(seed)
    logits = log_softmax(2 * rng.normal(size=(count, CLASSES)), axis=1)
    labels = np.array([rng.choice(CLASSES, p=row) for row in np.exp(logits)], np.int64)
    return sharpness * logits, labels


@pytest.mark.parametrize("sharpness", [0.3, 1.0, 4.0])
def test_a_head_that_is_too_sure_or_not_sure_enough_gets_the_probabilities_that_are_true(sharpness):
    logits, labels = answers(3000, sharpness=sharpness)
    found = calibrate(softmax(logits, axis=1), labels, kind="probability")
    assert found.slope * sharpness == pytest.approx(1, abs=0.1)
    unseen, true = answers(3000, seed=1, sharpness=sharpness)
    error = calibration_error(found.probabilities(softmax(unseen, axis=1)), true, draws=2)
    assert error.value < 0.03


def test_margins_that_are_large_for_several_classes_do_not_spoil_the_others():
    """What a softmax of the margins with a temperature does; one sigmoid for all does not."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, 600)
    margins = rng.normal(-1.0, 0.3, (600, CLASSES))
    margins[np.arange(600), labels] = rng.normal(1.0, 0.3, 600)
    margins[:30] = 40 * np.abs(rng.normal(size=(30, CLASSES)))  # far from everything
    loss = lambda p: -np.log(p[np.arange(600), labels] + 1e-300).mean()  # noqa: E731
    found = calibrate(margins, labels, kind="margin")
    best = min(loss(softmax(slope * margins, axis=1)) for slope in np.geomspace(0.01, 10, 50))
    assert loss(found.probabilities(margins)) < best / 2


@pytest.mark.parametrize("kind", ["probability", "margin"])
def test_the_largest_score_stays_the_largest_and_a_row_adds_up_to_one(kind):
    logits, labels = answers(200, sharpness=30)
    scores = softmax(logits, axis=1) if kind == "probability" else logits + 50
    found = calibrate(scores, labels, kind=kind).probabilities(scores)
    assert (found[np.arange(200), scores.argmax(axis=1)] == found.max(axis=1)).all()
    assert found.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize("kind", ["probability", "margin"])
def test_a_head_that_has_all_right_is_not_certain(kind):
    labels = np.arange(20) % 2
    right = np.eye(2)[labels]
    scores = 0.02 + 0.96 * right if kind == "probability" else 2 * right - 1
    found = calibrate(scores, labels, kind=kind).probabilities(scores)
    assert 0.9 < found.max(axis=1).min() < 0.999


@pytest.mark.parametrize("count", [0, 1, FEWEST - 1])
def test_with_few_images_scores_stay_as_they_are_and_that_is_said(count):
    logits, labels = answers(count)
    scores = softmax(logits, axis=1)
    found = calibrate(scores, labels, kind="probability")
    assert f"only {count} held-out images" in found.why_not
    assert found.probabilities(scores) == pytest.approx(scores)


def test_images_of_one_class_calibrate_nothing():
    logits, _ = answers(50)
    found = calibrate(logits, np.zeros(50, np.int64), kind="margin")
    assert (found.why_not, found.slope) == ("the held-out images are of one class", 1.0)


def test_a_class_that_nobody_learned_is_never_probable_and_tells_nothing():
    logits, labels = answers(300, sharpness=0.2)
    unlearned = np.hstack([logits, np.full((300, 1), -np.inf)])
    with_it = np.vstack([unlearned, unlearned[:50]])
    found = calibrate(with_it, np.append(labels, [4] * 50), kind="margin")
    assert found == calibrate(unlearned, labels, kind="margin")
    assert found.probabilities(unlearned)[:, 4].max() == 0


@pytest.mark.parametrize("offset", [None, 1.0])
def test_scores_that_are_no_numbers_give_no_nan(offset):
    scores = np.array([[np.nan, 1.0], [-np.inf, -np.inf], [np.inf, 1e308], [1e308, -1e308]])
    found = Calibration("margin", 5.0, offset).probabilities(scores)
    assert found.tolist() == [[0, 1], [0.5, 0.5], [0.5, 0.5], [1, 0]]


@pytest.mark.parametrize(("slope", "offset"), [(0.0, None), (-1.0, None), (np.nan, 0), (1, np.inf)])
def test_numbers_that_no_fit_gives_are_refused(slope, offset):
    with pytest.raises(ValueError, match="no calibration"):
        Calibration("margin", slope, offset)


def test_the_gradient_is_that_of_the_loss():
    logits, labels = answers(40)
    margins = np.hstack([logits + 1, np.full((40, 1), -np.inf)])
    at = np.array([0.3, -0.7])
    loss = lambda x: sigmoid_loss(margins, labels, np.exp(x[0]), x[1])[0]  # noqa: E731
    _, gradient = sigmoid_loss(margins, labels, np.exp(at[0]), at[1])
    assert gradient == pytest.approx(approx_fprime(at, loss, 1e-6), rel=1e-4)
