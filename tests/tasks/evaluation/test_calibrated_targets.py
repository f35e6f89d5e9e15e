from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from stores.errors import CorruptStore
from tasks.errors import InputError
from tasks.evaluation.calibrated_targets import CalibratedLabels, answers, calibrated_target
from tasks.evaluation.label_calibration import LabelCalibration
from tasks.inference.probabilities import coverage_rule
from tests.stores.runs.test_record import RUN

NAMES = ("cat", "dog", "old")


def damaged(_run):
    raise CorruptStore("predictions.parquet: the file is damaged")


def test_a_score_that_is_the_threshold_is_the_label_in_float32_too():
    thresholds = np.array([0.3, 0.5, 0.7])  # 0.7 is less as float32
    found = CalibratedLabels(LabelCalibration("probability"), thresholds)
    single = thresholds.astype(np.float32).astype(np.float64)
    scores = np.array([thresholds, single, thresholds - 1e-4])
    assert answers(scores, NAMES, found) == [NAMES, NAMES, ()]


def test_a_run_whose_predictions_are_damaged_predicts_and_has_no_intervals():
    runs = SimpleNamespace(predictions=damaged)
    several = replace(RUN, target="labels", classes=NAMES, head={"kind": "ridge"})
    found = calibrated_target(runs, several)
    assert answers(np.array([[1.0, -1.0, 0.0]]), NAMES, found) == [("cat", "old")]
    assert "is damaged" in found.calibration.why_not
    number = replace(RUN, target="number", classes=("age",), head={"kind": "ridge"})
    found = calibrated_target(runs, number)
    assert answers(np.array([[37.5]]), ("age",), found) == [37.5]
    with pytest.raises(InputError, match=r"--coverage 0\.9: no held-out images .* is damaged"):
        coverage_rule(found, ("age",), 0.9, kind="lac")
