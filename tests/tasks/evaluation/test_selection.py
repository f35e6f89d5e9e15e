"""What is shown of a run counts all runs that were tried, by whatever command."""

import pytest

from flows.summaries.runs import CompareSummary, RunsShowSummary
from flows.text.runs import runs_text
from stores.errors import CorruptStore
from stores.runs.store import RunStore
from tasks.evaluation.selection import expected_in_words, not_counted, selection_of, tried_with
from tasks.report.leaderboard import leaderboard
from tasks.report.run_facts import compared, run_facts
from tests.support.entries import entries_of, with_entries
from tests.support.reports import (
    DENSE,
    LOGISTIC,
    SVM,
    guesses,
    make_manifest,
    open_test,
    report,
    train,
)


@pytest.fixture
def manifest(tmp_path):
    return make_manifest(tmp_path, sizes=(9, 20, 12))


def guess(store, manifest, seed, **about):
    """Store a run that guesses each image's class."""
    return train(store, manifest, DENSE, seed=seed, table=guesses(manifest, seed), **about)


def best(runs):
    return max(runs, key=lambda run: run.metrics["validation_accuracy"])


def test_the_best_of_many_that_guess_is_nowhere_better_than_the_majority_class(store, manifest):
    """The kind: what was chosen is shown as if it had not been, at any of the places."""
    chosen = best([guess(store, manifest, seed) for seed in range(60)])
    plain = chosen.metrics["validation_accuracy"]
    selection = selection_of(RunStore(store), chosen)
    assert plain > 0.6
    assert (selection.rank, selection.tried, selection.failed) == (1, 60, 0)
    assert selection.estimate.accuracy < plain - 0.07
    facts = run_facts(store, chosen.id)
    assert facts.evaluation.selection == selection
    assert expected_in_words(selection) in runs_text(RunsShowSummary(facts))
    page = report(store, manifest, [chosen])
    assert f"{selection.estimate.accuracy:.1%} expected accuracy" in page.text
    assert "The head is not significantly better than the majority-class baseline" in page.text
    first = leaderboard(store, sort_by="validation_accuracy").to_pylist()[0]
    assert first["expected_accuracy"] == selection.estimate.accuracy
    assert first["runs_tried"] == 60


def test_a_run_that_is_not_the_best_has_the_luck_of_its_own_rank(store, manifest):
    runs = [guess(store, manifest, seed) for seed in range(30)]
    worst = min(runs, key=lambda run: run.metrics["validation_accuracy"])
    selection = selection_of(RunStore(store), worst)
    assert selection.rank > 25
    assert selection.estimate.accuracy > worst.metrics["validation_accuracy"]
    assert f"number {selection.rank} of 30 runs tried" in expected_in_words(selection)


def test_what_is_not_counted_is_named(store, manifest):
    run = guess(store, manifest, 0)
    guess(store, manifest, 1)
    guess(store, manifest, 2, folds=3)
    grown = with_entries(manifest, entries=entries_of(manifest)[:-1])
    train(store, grown, SVM)
    train(store, manifest, SVM, failure="it diverged")
    damaged = guess(store, manifest, 4)
    path = RunStore(store).folder / damaged.id[:16] / "predictions.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    selection = selection_of(RunStore(store), run)
    assert selection.tried == 2
    assert not_counted(selection) == (
        "not counted: 1 run that failed, 2 runs on other held-out images, "
        "1 run with damaged predictions"
    )
    with pytest.raises(CorruptStore, match="train again"):
        selection_of(RunStore(store), damaged)


def test_seeds_of_a_head_without_randomness_are_one_trial(store, manifest):
    runs = [train(store, manifest, head, seed=seed) for head in (SVM, DENSE) for seed in range(3)]
    assert selection_of(RunStore(store), runs[0]).tried == 1 + 3
    assert selection_of(RunStore(store), runs[2]).rank == 1


def test_on_test_those_count_that_were_evaluated_on_it(store, manifest):
    runs = [train(store, manifest, head) for head in (DENSE, LOGISTIC, SVM)]
    runs[0] = train(store, manifest, DENSE, folds=3)  # the test images are the same
    for every, run in enumerate(runs[:2], 2):
        open_test(store, manifest, run, every=every)
    assert selection_of(RunStore(store), runs[1], "test").tried == 2
    assert "2 runs have a test evaluation" in report(store, manifest, runs, chosen=1).text


def test_a_best_and_a_worst_of_many_do_not_differ(store, manifest):
    runs = sorted(
        (guess(store, manifest, seed) for seed in range(40)),
        key=lambda run: run.metrics["validation_accuracy"],
    )
    found = compared(store, runs[0].id, runs[-1].id)
    assert found.p_value < 0.05
    assert (found.tried, found.comparisons) == (40, 780)
    assert found.corrected_p_value == min(1.0, 780 * found.p_value)
    assert found.corrected_low <= found.low <= found.high <= found.corrected_high
    line = runs_text(CompareSummary(found)).splitlines()[-1]
    assert "corrected for 780 comparisons of the 40 runs tried (Bonferroni)" in line
    assert line.endswith("that may be chance")


def test_two_runs_that_are_all_are_compared_as_they_are(store, manifest):
    first, second = train(store, manifest, SVM), train(store, manifest, DENSE, every=2)
    found = compared(store, first.id, second.id)
    assert (found.comparisons, found.corrected_p_value) == (1, found.p_value)
    assert tried_with(RunStore(store), first) == 2
