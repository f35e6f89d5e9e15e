"""A head whose interval has the majority-class baseline is not called better."""

from types import SimpleNamespace

import pytest

from tasks.evaluation.comparison import Estimate
from tasks.evaluation.majority_baseline import Baseline, baseline_in_words, verdict

BASELINE = Baseline("cats", 0.8)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.81, 0.9, "better"),
        (0.8, 0.9, "not better"),
        (0.7, 0.8, "not better"),
        (0.6, 0.79, "worse"),
    ],
)
def test_the_interval_decides(low, high, expected):
    assert verdict(Estimate(0.75, low, high, 100), BASELINE) == expected


def test_what_is_no_better_is_told_with_what_to_try():
    run = SimpleNamespace(
        head={"kind": "logistic", "class_weights": "none"}, classes=("cats", "dogs")
    )
    assert baseline_in_words(Estimate(0.9, 0.85, 0.95, 100), BASELINE, run) == ""
    told = baseline_in_words(Estimate(0.8, 0.7, 0.9, 100), BASELINE, run)
    assert told == (
        "not better than always answering 'cats' (majority-class baseline 0.8000, in the "
        "interval): try --class-weights balanced"
    )
    even = Baseline("cats", 0.5)
    assert "--class-weights" not in baseline_in_words(Estimate(0.6, 0.4, 0.8, 100), even, run)
    run.head["class_weights"] = "balanced"
    told = baseline_in_words(Estimate(0.8, 0.7, 0.9, 100), BASELINE, run)
    assert "--class-weights" not in told
