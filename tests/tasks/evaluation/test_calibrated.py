from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from stores.errors import CorruptStore
from tasks.evaluation.calibrated import calibrated, calibrated_run, honest
from tasks.evaluation.split_result import SplitResult
from tests.tasks.evaluation.test_calibration import answers

CLASSES = ("a", "b", "c", "d")


def result(count, *, seed=0, split="validation", groups=None, sharpness=4.0):
    """Return a result whose head is far too sure."""
    scores, labels = answers(count, seed=seed, sharpness=sharpness)
    scores = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    keys = np.arange(32 * count, dtype=np.int64).astype(np.uint8).reshape(count, 32)
    return SplitResult(split, CLASSES, keys, labels, scores.argmax(axis=1), scores, groups)


def test_after_is_never_measured_on_what_it_was_fitted_on():
    held = result(100)
    wrong = replace(held, true=(held.true + 1) % 4)
    one, other = honest(held, held, "probability"), honest(wrong, wrong, "probability")
    chosen = np.arange(100) % 5 == 0
    mixed = replace(held, true=np.where(chosen, wrong.true, held.true))
    found = honest(mixed, mixed, "probability").probabilities
    # The labels of a fifth do not matter to it, and to the others they do.
    assert found[chosen] == pytest.approx(one.probabilities[chosen])
    assert found[~chosen] != pytest.approx(one.probabilities[~chosen], abs=0.01)
    assert one.probabilities != pytest.approx(other.probabilities, abs=0.1)


def test_images_of_a_group_are_measured_together():
    groups = np.repeat(np.arange(50), 4)
    held = result(200, groups=groups)
    far = replace(held, true=np.where(groups == 7, (held.true + 1) % 4, held.true))
    before, after = (honest(one, one, "probability").probabilities for one in (held, far))
    assert after[groups == 7] == pytest.approx(before[groups == 7])


def test_the_test_split_is_measured_by_all_held_out_images():
    held, test = result(400), result(300, seed=1, split="test")
    found = honest(test, held, "probability")
    expected = calibrated(held, "probability").calibration
    assert found.calibration == expected
    assert found.probabilities == pytest.approx(expected.probabilities(test.scores))
    assert found.after.log_loss < found.after.high < found.before.log_loss
    assert found.after.error.value < found.before.error.value / 2


def test_the_coverage_of_sets_is_measured_with_an_interval():
    held, test = result(600), result(600, seed=1, split="test")
    lac, aps = honest(test, held, "probability").coverages
    assert lac.low < 0.9 < lac.high
    assert aps.share > 0.87
    assert 1 < lac.mean_size < 4
    assert 0 < lac.unsure < 1


def test_groups_make_intervals_wider():
    held = result(300)
    grouped = replace(held, groups=np.arange(300) // 30)
    copies = replace(grouped, **{n: np.repeat(getattr(held, n)[:10], 30, axis=0) for n in (
        "true", "predicted", "scores")})  # fmt: skip
    alone = replace(copies, groups=None)
    widths = [
        (one.after.high - one.after.low, one.before.high - one.before.low)
        for one in (honest(some, held, "probability") for some in (
            replace(copies, split="test"), replace(alone, split="test")))
    ]  # fmt: skip
    assert widths[0][0] > 3 * widths[1][0]
    assert widths[0][1] > 3 * widths[1][1]


def test_few_images_are_not_calibrated_and_have_no_sets():
    held = result(6)
    found = honest(held, held, "probability")
    assert found.coverages == []
    assert "0.9 needs 9 held-out images, found" in found.too_few
    assert "only 6 held-out images" in found.calibration.why_not
    assert found.after.log_loss == pytest.approx(found.before.log_loss)


def test_a_run_whose_predictions_are_damaged_is_not_calibrated_and_says_so():
    def damaged(_):
        raise CorruptStore("predictions.parquet: the file is damaged; train again")

    run = SimpleNamespace(id="ab", head={"kind": "svm"}, classes=CLASSES, folds=0)
    found = calibrated_run(SimpleNamespace(predictions=damaged), run)
    assert found.calibration.scores == "margin"
    assert "the file is damaged" in found.calibration.why_not
    assert len(found.held_out.labels) == 0
