import numpy as np
import pytest

from stores.runs.store import RunStore
from tasks.errors import InputError
from tasks.evaluation.comparison import (
    RightAnswers,
    compare,
    estimate_of_the_chosen,
    estimates_by_rank,
    held_out_answers,
)
from tasks.evaluation.split_result import wilson
from tests.support.entries import entries_of, with_entries
from tests.support.reports import LOGISTIC, make_manifest, predict, train


def test_the_best_of_many_that_guess_is_expected_to_guess():
    guesses = np.random.default_rng(0).random((20, 100, 200)) < 0.5
    estimates = [estimate_of_the_chosen(RightAnswers(answers)) for answers in guesses]
    assert guesses.mean(axis=2).max(axis=1).mean() > 0.58
    assert np.mean([e.accuracy for e in estimates]) == pytest.approx(0.5, abs=0.02)
    assert sum(e.low < 0.5 < e.high for e in estimates) >= 18


def test_a_run_that_is_better_by_far_keeps_its_accuracy():
    rng = np.random.default_rng(0)
    answers = rng.random((20, 500)) < np.array([0.9, *[0.5] * 19])[:, None]
    estimate = estimate_of_the_chosen(RightAnswers(answers))
    assert estimate.accuracy == pytest.approx(answers[0].mean(), abs=0.005)
    assert estimate.low < answers[0].mean() < estimate.high
    assert estimate.images == 500


def test_one_image_says_nothing():
    estimate = estimate_of_the_chosen(RightAnswers(np.ones((3, 1), bool)))
    assert (estimate.accuracy, estimate.low, estimate.high) == (1.0, 0.0, 1.0)


def test_a_handful_of_images_that_are_all_right_says_little():
    estimate = estimate_of_the_chosen(RightAnswers(np.ones((3, 5), bool)))
    assert (estimate.accuracy, estimate.high) == (1.0, 1.0)
    assert estimate.low == pytest.approx(0.566, abs=0.001)  # Wilson's of 5 of 5


def test_mcnemars_test_looks_at_the_images_on_which_two_runs_differ():
    first = np.array([True] * 80 + [False] * 20)
    second = first.copy()
    second[:2], second[80:90] = False, True
    told = compare(RightAnswers(np.stack([first, second])))
    assert (told.only_first, told.only_second) == (2, 10)
    assert told.p_value == pytest.approx(0.0209, abs=1e-4)  # of (10 - 2)² / 12, chi-squared
    assert told.difference == pytest.approx(0.08)
    assert 0 < told.low < 0.08 < told.high


def test_a_run_does_not_differ_from_itself():
    told = compare(RightAnswers(np.ones((2, 9), bool)))
    assert (told.difference, told.p_value) == (0.0, 1.0)
    assert -told.low == told.high == pytest.approx(0.299, abs=1e-3)  # z² / (n + z²): few say little


def test_answers_are_of_the_held_out_images(tmp_path):
    manifest = make_manifest(tmp_path)
    run = train(tmp_path / "store", manifest, LOGISTIC, every=4)
    (row,) = held_out_answers(RunStore(tmp_path / "store"), [run]).right
    told = predict(manifest, ("train", "validation"), 4).to_pylist()
    expected = {r["key"]: r["label"] == r["predicted"] for r in told if r["split"] == "validation"}
    assert row.tolist() == [expected[key] for key in sorted(expected)]


def test_runs_on_other_images_are_not_compared(tmp_path):
    manifest = make_manifest(tmp_path)
    smaller = with_entries(manifest, entries=entries_of(manifest)[:-30])
    runs = [train(tmp_path / "store", m, LOGISTIC) for m in (manifest, smaller)]
    with pytest.raises(InputError, match="not measured on the same images"):
        held_out_answers(RunStore(tmp_path / "store"), runs)


def test_the_order_of_the_runs_decides_nothing():
    answers = np.random.default_rng(0).random((9, 6)) < 0.5
    there, back = RightAnswers(answers), RightAnswers(answers[::-1])
    assert estimate_of_the_chosen(there) == estimate_of_the_chosen(back)


def test_no_rank_among_many_that_guess_is_better_or_worse_than_guessing():
    """The kind: an accuracy that was chosen is shown, or compared, as if it had not been."""
    guesses = np.random.default_rng(1).random((40, 100, 80)) < 0.5
    false = {"better": 0, "worse": 0, "any": 0, "plain": 0}
    for answers in guesses:
        estimates = estimates_by_rank(RightAnswers(answers))
        false["better"] += estimates[0].low > 0.5
        false["worse"] += estimates[-1].high < 0.5
        false["any"] += any(e.low > 0.5 or e.high < 0.5 for e in estimates)
        best = int(answers.sum(axis=1).max())
        false["plain"] += wilson(best, 80)[0] > 0.5
    assert false["plain"] > 30  # what Wilson's interval of the best would say
    assert max(false["better"], false["worse"], false["any"]) <= 2  # of 40: 5%


@pytest.mark.parametrize("images", [30, 100])
def test_heads_on_random_labels_are_not_better_than_the_majority_class(images):
    """Heads that learned from the same noise resemble each other, unlike coins."""
    rng, false = np.random.default_rng(images), 0
    for _ in range(40):
        features, labels = rng.normal(size=(2 * images, 16)), rng.random(2 * images) < 0.5
        learned, held_out = slice(None, images), slice(images, None)
        kernels = []
        for penalty in np.geomspace(1e-2, 1e4, 20):
            for some in (slice(None), slice(8), slice(8, None), slice(None, None, 2), slice(4, 12)):
                rows = np.zeros_like(features[learned])
                rows[:, some] = features[learned, some]
                gram = rows.T @ rows + penalty * np.eye(16)
                kernels.append(np.linalg.solve(gram, rows.T @ (2.0 * labels[learned] - 1)))
        answers = labels[held_out] == (features[held_out] @ np.array(kernels).T > 0).T
        majority = labels[learned].mean() > 0.5
        always = float((labels[held_out] == majority).mean())
        false += estimate_of_the_chosen(RightAnswers(answers)).low > max(always, 0.5)
    assert false <= 2  # of 40: 5%


def test_each_rank_is_measured_on_images_that_did_not_rank_it():
    rng = np.random.default_rng(0)
    skill = np.array([0.9, 0.7, 0.5])
    estimates = estimates_by_rank(RightAnswers(rng.random((3, 4000)) < skill[:, None]))
    assert [e.accuracy for e in estimates] == pytest.approx(skill, abs=0.02)
    assert all(e.low < true < e.high for e, true in zip(estimates, skill, strict=True))


def test_a_single_run_was_not_chosen():
    (estimate,) = estimates_by_rank(RightAnswers(np.arange(80)[np.newaxis] < 50))
    assert (estimate.accuracy, (estimate.low, estimate.high)) == (0.625, wilson(50, 80))


def test_images_of_one_group_are_drawn_together():
    """The kind: copies of an image count as images of their own, and intervals are too narrow."""
    rng = np.random.default_rng(0)
    alone = rng.random((3, 40)) < np.array([0.8, 0.7, 0.6])[:, np.newaxis]
    copies, groups = np.repeat(alone, 5, axis=1), np.repeat(np.arange(40), 5)
    for one, five in zip(
        estimates_by_rank(RightAnswers(alone)),
        estimates_by_rank(RightAnswers(copies, groups)),
        strict=True,
    ):
        assert (five.accuracy, five.images) == (pytest.approx(one.accuracy), 200)
        assert (five.low, five.high) == pytest.approx((one.low, one.high), abs=0.01)
    assert estimates_by_rank(RightAnswers(copies))[0].low > one.low + 0.05


def test_two_runs_are_compared_on_as_many_images_as_their_groups_are_worth():
    first, second = np.arange(40) < 20, np.arange(40) % 20 > 3
    one = compare(RightAnswers(np.stack([first, second])))
    copies = np.repeat(np.stack([first, second]), 5, axis=1)
    five = compare(RightAnswers(copies, np.repeat(np.arange(40), 5)))
    assert (five.difference, five.only_second) == (
        pytest.approx(one.difference),
        5 * one.only_second,
    )
    assert five.p_value == pytest.approx(one.p_value, abs=0.02)
    assert (five.low, five.high) == pytest.approx((one.low, one.high), abs=0.01)
    assert compare(RightAnswers(copies)).p_value < one.p_value / 5
