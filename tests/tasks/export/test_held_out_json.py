import json
from dataclasses import replace

import numpy as np
import pytest

from tasks.evaluation.calibrated import calibrated
from tasks.evaluation.prediction_sets import set_rule
from tasks.export import held_out_json
from tasks.export.held_out_json import as_json, from_json
from tests.tasks.evaluation.test_calibrated import CLASSES, result


@pytest.mark.parametrize("groups", [None, np.repeat(np.arange(40), 5)])
@pytest.mark.parametrize("kind", ["probability", "margin"])
def test_an_exported_model_has_the_calibration_and_the_sets_of_its_run(groups, kind):
    found = calibrated(result(200, groups=groups), kind)
    again = from_json(json.loads(json.dumps(as_json(found))), kind, len(CLASSES))
    assert again.calibration == found.calibration
    for by in (None, "class"):
        ours, theirs = (set_rule(x.held_out, CLASSES, 0.8, by=by) for x in (found, again))
        assert ours.limits.tolist() == theirs.limits.tolist()


def test_of_many_held_out_images_some_are_kept(monkeypatch):
    monkeypatch.setattr(held_out_json, "MOST", 30)
    found = calibrated(result(100), "probability")
    kept = from_json(as_json(found), "probability", 4).held_out
    assert kept.lac.tolist() == found.held_out.lac[::4].tolist()


def test_a_model_of_an_earlier_version_has_no_calibration_and_says_so():
    found = from_json({"classes": ["a", "b"]}, "margin", 2)
    assert "exported by an earlier version of gargalo" in found.calibration.why_not
    assert len(found.held_out.labels) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"calibration": None},
        {"calibration": {"slope": -1, "offset": None, "images": 3}},
        {"calibration": {"slope": 1e999, "offset": None, "images": 3}},
        {"calibration": {"offset": None}},
        {"held_out": {"labels": [4], "lac": [0.1], "aps": [0.1], "groups": None}},
        {"held_out": {"labels": [-1], "lac": [0.1], "aps": [0.1], "groups": None}},
        {"held_out": {"labels": [0], "lac": [0.1, 0.2], "aps": [0.1], "groups": None}},
        {"held_out": {"labels": [0], "lac": [float("nan")], "aps": [0.1], "groups": None}},
        {"held_out": {"labels": [0], "lac": [0.1], "aps": [0.1], "groups": ["x"]}},
        {"held_out": "nothing"},
    ],
)
def test_what_no_export_wrote_is_refused(wrong):
    about = as_json(calibrated(result(20), "probability"))
    with pytest.raises((ValueError, TypeError, KeyError)):
        from_json(about | wrong, "probability", 4)


def test_a_reason_is_kept():
    found = calibrated(result(5), "probability")
    again = from_json(as_json(found), "probability", 4)
    assert again.calibration == replace(found.calibration)
    assert "only 5 held-out images" in again.calibration.why_not
