"""Heads are summarised once, and shown alike in the terminal, on a server and in the report."""

from flows.orchestration.artifacts import _in_markdown
from flows.summaries.heads import TrainSummary
from flows.text.heads import train_text
from stores.runs.store import RunStore
from tasks.report.heads_summary import summarize_heads
from tests.support.reports import DENSE, LOGISTIC, SVM, make_manifest, report, train


def test_every_renderer_has_the_same_heads(store, tmp_path):
    manifest = make_manifest(tmp_path)
    heads = (LOGISTIC, SVM, SVM | {"inverse_regularization": 2.0})
    runs = [train(store, manifest, head, every=n) for n, head in enumerate(heads, 2)]
    runs.append(train(store, manifest, DENSE, failure="the loss is no number"))
    summary = summarize_heads(RunStore(store), manifest, runs, runs[2], cached={runs[0].id})
    accuracies = [head.validation_accuracy or 0.0 for head in summary.best_first]
    assert accuracies == sorted(accuracies, reverse=True)
    assert summary.best_first[-1].failure
    assert [head.differing for head in summary.runs[1:3]] == [
        "inverse_regularization 0.5",
        "inverse_regularization 2.0",
    ]
    text = train_text(TrainSummary(**vars(summary), cached=False, remarks=()))
    markdown = "\n".join(_in_markdown(summary, None))
    page = report(store, manifest, runs, chosen=2).section("heads")
    for head in summary.runs[:3]:
        line = next(line for line in text.splitlines() if head.run[:16] in line)
        row = next(line for line in markdown.splitlines() if head.run[:16] in line)
        assert f"{head.validation_accuracy:.4f}" in line
        assert f"{head.validation_accuracy:.4f}" in row
        assert f"{head.validation_accuracy:.1%}" in page
        assert head.differing in line
        assert head.differing in row
        assert head.differing in page
        assert line.startswith("*") is ("**" in row) is (head.run == runs[2].id)
        assert ("(cached)" in line) is (head.run == runs[0].id)
    assert "the loss is no number" in text
    assert "the loss is no number" in page
