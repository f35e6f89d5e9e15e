"""Runs for several labels and for a number, from their training to their report."""

import numpy as np
import pytest
from sklearn import metrics

from flows.artifacts import _in_markdown
from flows.summaries.heads import TrainSummary
from flows.summaries.runs import CompareSummary, RunsListSummary, RunsShowSummary
from flows.text.heads import train_text
from flows.text.runs import runs_text
from stores.features.store import FeatureStore
from stores.runs.store import RunStore
from tasks.evaluation.held_out_scores import scored
from tasks.heads.presets import make_heads
from tasks.report.heads_summary import summarize_heads
from tasks.report.index import listed_reports
from tasks.report.leaderboard import leaderboard
from tasks.report.run_facts import compared, run_facts
from tasks.training.evaluate_test_split import open_test
from tasks.training.planned_runs import PlannedRun, choose
from tasks.training.train import train
from tests.support.reports import make_manifest, report
from tests.support.samples import RECIPE
from tests.support.targets import relabelled

FIGURE = {"labels": "mean_average_precision", "number": "mean_absolute_error"}


@pytest.fixture(scope="module", params=["labels", "number"])
def made(request, tmp_path_factory):
    """A data set, its store, and its runs: of a ridge and of neighbors, one of them tested."""
    root = tmp_path_factory.mktemp(request.param)
    store, target = root / "store", request.param
    manifest = relabelled(make_manifest(root, sizes=(12, 10, 10)), target, store)
    images = manifest.select()
    told = (
        images.labels if target == "labels" else np.repeat(images.labels[:, np.newaxis], 4, 1) / 3
    )
    noise = np.random.default_rng(0).normal(size=(len(images.keys), 4))
    rows = np.hstack([told + noise[:, : told.shape[1]] / 2, noise])
    FeatureStore(store, RECIPE).write(images.keys, rows.astype("f4"))
    plans = [
        PlannedRun(manifest, RECIPE, head, 0, {"head": name})
        for name in ("ridge", "knn")
        for head in make_heads(
            [name], {}, classes=len(manifest.classes), feature_shape=rows.shape[1:], target=target
        ).values()
    ]
    runs = RunStore(store)
    trained = [runs.read(train([plan], store=store)[0]) for plan in plans]
    chosen = choose(trained)
    before = report(store, manifest, trained, trained.index(chosen)) if target == "labels" else None
    open_test(chosen.id, manifest, RECIPE, store=store, asked_by="test")
    after = report(store, manifest, trained, trained.index(chosen))
    return manifest, store, trained, chosen, before, after


def truth_of(store, run, split):
    predictions = RunStore(store).predictions(run.id)
    return scored(predictions, split=split, outputs=len(run.classes))


def test_the_best_is_chosen_listed_and_summarised_by_its_main_figure(made):
    manifest, store, trained, chosen, *_ = made
    name = FIGURE[manifest.target]
    values = [run.metrics[f"validation_{name}"] for run in trained]
    best = max(values) if manifest.target == "labels" else min(values)
    assert chosen.metrics[f"validation_{name}"] == best
    rows = leaderboard(store).to_pylist()
    assert rows[0]["run"] == chosen.id
    assert rows[0][f"expected_{name}"] is not None
    assert FIGURE[manifest.target].replace("_", " ") in runs_text(RunsListSummary(rows, 9, None))
    summary = summarize_heads(RunStore(store), manifest, trained, chosen)
    json = summary.json_fields()
    assert json[f"validation_{name}"] == best
    assert json[f"test_{name}"] == summary.test_figure
    assert "test_accuracy" not in json
    assert summary.best_first[0].run == chosen.id
    estimate = summary.selection.estimate
    assert estimate.figure == name
    assert estimate.low < estimate.value < estimate.high
    text = train_text(TrainSummary(**vars(summary), cached=False, remarks=()))
    words = name.replace("_", " ")
    assert f"chosen by {words} on validation:" in text
    assert f"expected {words} {estimate.value:.4f}" in text
    assert f"test {words} of" in text
    assert words in "\n".join(_in_markdown(summary, None))
    assert any(words in table.title for table in summary.tables())
    assert not summary.not_better, (summary.baseline, estimate)
    assert listed_reports(store)[0].figure.startswith(words)


def test_the_figures_are_those_of_the_predictions(made):
    manifest, store, _, chosen, *_ = made
    test = truth_of(store, chosen, "test")
    found = run_facts(store, chosen.id)
    if manifest.target == "labels":
        expected = metrics.average_precision_score(test.truth, test.scores)
        rows = found.evaluation.per_label
        each = metrics.average_precision_score(test.truth, test.scores, average=None)
        assert [row.average_precision for row in rows] == pytest.approx(each)
        said = test.scores >= [row.threshold for row in rows]
        assert [row.f1 for row in rows] == pytest.approx(
            metrics.f1_score(test.truth, said, average=None)
        )
    else:
        expected = metrics.mean_absolute_error(test.truth, test.scores)
    name = FIGURE[manifest.target]
    assert found.evaluation.figures[name].value == pytest.approx(expected)
    assert found.openings[0].metrics[f"test_{name}"] == pytest.approx(expected)
    assert f"{name.replace('_', ' ')} on 30 images of test: {expected:.4f}" in runs_text(
        RunsShowSummary(found)
    )


def test_two_runs_are_compared_by_a_paired_bootstrap(made):
    manifest, store, trained, *_ = made
    found = compared(store, trained[0].id, trained[1].id)
    name = f"validation_{FIGURE[manifest.target]}"
    assert found.difference == pytest.approx(trained[1].metrics[name] - trained[0].metrics[name])
    assert f"second minus first: {found.difference:+.4f}" in runs_text(CompareSummary(found))


def test_the_report_has_the_figures_and_the_mistakes(made):
    manifest, store, _, chosen, before, after = made
    words = FIGURE[manifest.target].replace("_", " ")
    assert f"test {words}" in after.text
    assert "baseline: scores by chance" in after.text or "the median of train" in after.text
    test = truth_of(store, chosen, "test")
    if manifest.target == "labels":
        assert "This run has no test evaluation" in before.text
        assert "corrected for selection (the best of 2 runs tried" in before.text
        assert "each fifth of these images is compared with the thresholds" in before.text
        assert "old" in after.section("labels")
        assert after.section("rankings", raw=True).count("<svg") == 2
        wrong = after.section("mistakes")
        assert "wrong:" in wrong
        assert "missing:" in wrong
        assert "no label" in after.section("dataset")
    else:
        assert "On test this interval holds the true number of" in after.section("numbers")
        assert after.section("numbers", raw=True).count("<svg") == 2
        worst = np.abs(test.scores - test.truth).argmax()
        first = after.section("mistakes").split("true ")[2]
        assert first.startswith(f"{test.truth[worst, 0]:g},")
    assert after.section("map", raw=True).count('<span class="dot"') == len(manifest.select().keys)
