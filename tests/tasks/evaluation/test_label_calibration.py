import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from tasks.evaluation.calibration import FEWEST
from tasks.evaluation.label_calibration import LabelCalibration, calibrate_labels

LABELS = 4


def answers(count, *, seed=0):
    """Return true logits of each label, and labels drawn by them."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(count, LABELS)) - 1
    return logits, (rng.uniform(size=logits.shape) < expit(logits)).astype(np.float64)


@pytest.mark.parametrize("sharpness", [0.3, 1.0, 4.0])
def test_probabilities_that_are_too_sure_or_not_sure_enough_become_the_true_ones(sharpness):
    logits, truth = answers(1000)
    unlearned = np.zeros((1000, 1))  # and yet some images have the label
    scores, has = (
        np.hstack([expit(sharpness * logits), unlearned]),
        np.hstack([truth, truth[:, :1]]),
    )
    found = calibrate_labels(scores, has, kind="probability")
    assert (found.slope * sharpness, found.offset) == (pytest.approx(1, abs=0.1), 0.0)
    assert found.images == 1000
    assert found.probabilities(expit(sharpness * logits)) == pytest.approx(expit(logits), abs=0.04)


def test_margins_get_the_sigmoid_that_scikit_learn_finds():
    logits, truth = answers(1000)
    margins = 30 * logits + 50
    found = calibrate_labels(margins, truth, kind="margin")
    plain = LogisticRegression(C=np.inf).fit(margins.reshape(-1, 1) / 30, truth.ravel())
    expected = plain.predict_proba(margins.reshape(-1, 1) / 30)[:, 1]
    assert found.probabilities(margins).ravel() == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("kind", ["probability", "margin"])
def test_a_head_that_has_all_right_is_not_certain_and_nothing_is_no_number(kind):
    truth = answers(40)[1]
    scores = 0.02 + 0.96 * truth if kind == "probability" else 2 * truth - 1
    found = calibrate_labels(scores, truth, kind=kind)
    assert 0.9 < found.probabilities(scores)[truth == 1].min() < 0.999
    absurd = np.array([[np.nan, np.inf, -np.inf, 0.0]])
    assert np.isfinite(found.probabilities(absurd)).all()


@pytest.mark.parametrize(
    ("truth", "reason"),
    [
        (answers(FEWEST - 1)[1], f"only {FEWEST - 1} held-out images"),
        (np.zeros((20, LABELS)), "the held-out images have none of the labels"),
        (np.ones((20, LABELS)), "the held-out images have all labels"),
    ],
)
def test_what_cannot_be_fitted_stays_as_it_is_and_the_reason_is_kept(truth, reason):
    scores = np.tile([[0.3], [0.4]], (len(truth), LABELS))[: len(truth)]
    found = calibrate_labels(scores, truth, kind="probability")
    assert found.why_not.startswith(reason)
    assert found.probabilities(scores) == pytest.approx(scores)
    with pytest.raises(ValueError, match="no calibration"):
        LabelCalibration("margin", slope=-1.0)
