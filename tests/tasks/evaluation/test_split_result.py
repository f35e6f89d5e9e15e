"""The report's numbers are what an independent count of the predictions gives."""

import itertools
import re
from dataclasses import replace

import pytest

from stores.errors import CorruptStore
from stores.runs.store import RunStore
from tasks.evaluation.near_duplicates import NearDuplicates, Pair
from tasks.evaluation.split_result import wilson
from tasks.report.write import write_report
from tests.support.entries import as_entries, entries_of, with_entries
from tests.support.reports import (
    DENSE,
    SVM,
    Page,
    entry,
    extraction,
    make_manifest,
    open_test,
    predict,
    report,
    train,
)


@pytest.fixture
def manifest(tmp_path):
    return make_manifest(tmp_path)


@pytest.fixture
def run(store, manifest):
    return train(store, manifest, DENSE)


def test_the_headline_is_what_an_independent_count_gives(store, manifest, run):
    rows = open_test(store, manifest, run).to_pylist()
    right = sum(row["label"] == row["predicted"] for row in rows)
    cats = sum(row["label"] == "cats" for row in rows)
    page = report(store, manifest, [run])
    assert f"{right / len(rows):.1%} test accuracy: {right} of {len(rows)} images" in page.text
    assert f"{cats / len(rows):.1%} majority-class baseline (“cats”)" in page.text
    assert "1 test evaluation over all runs" in page.text


def test_the_largest_class_is_that_of_train_and_is_counted_on_test(store, tmp_path):
    manifest = make_manifest(tmp_path)
    entries = [e for e in entries_of(manifest) if not (e.label == "cats" and e.split == "test")]
    manifest = with_entries(
        manifest, entries=(*entries, as_entries(manifest.of_status("accepted"))[-1])
    )
    run = train(store, manifest, DENSE)
    open_test(store, manifest, run)
    assert "0% majority-class baseline (“cats”)" in report(store, manifest, [run]).text


@pytest.mark.parametrize(("right", "images"), [(0, 5), (5, 5), (1, 3), (390, 400), (999, 1000)])
def test_the_interval_is_scipys(right, images):
    from scipy.stats import binomtest

    expected = binomtest(right, images).proportion_ci(0.95, method="wilson")
    assert wilson(right, images) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_the_interval_has_exact_ends():
    assert wilson(7, 7)[1] == 1
    assert wilson(0, 7)[0] == 0
    assert wilson(0, 0) == (0, 1)


@pytest.mark.parametrize(
    ("every", "verdict"),
    [
        (0, "is significantly better than"),
        (3, "is not significantly better than"),
        (1, "is significantly worse than"),
    ],
)
def test_the_head_is_compared_with_the_majority_class_baseline(
    store, manifest, run, every, verdict
):
    open_test(store, manifest, run, every=every)
    assert (
        f"The head {verdict} the majority-class baseline (“cats”)"
        in report(store, manifest, [run]).text
    )


def test_where_copies_lie_in_two_splits_nothing_is_claimed_of_the_head(store, manifest, run):
    """The kind: a figure that is known to be too high carries a claim."""
    open_test(store, manifest, run, every=0)

    def text(pairs):
        found = NearDuplicates(pairs=tuple(Pair(n, n + 30, 0.99, "pixels") for n in range(pairs)))
        path = write_report(
            store=store,
            manifest=manifest,
            extraction=extraction(manifest),
            runs=[run.id],
            chosen=run.id,
            duplicates=found,
        )
        return Page(path).text

    assert "better than" not in text(12)
    assert "12 pairs of near-duplicates lie in different splits" in text(12)
    # But where it would be better with all of these images wrong.
    assert "even if the head is wrong on all images of the 1 pair of near-duplicates" in text(1)


def test_another_recorded_accuracy_than_the_counted_one_is_refused(store, manifest, run):
    predictions = predict(manifest, ("test",), every=0)
    RunStore(store).open_test(
        run.id, asked_by="me", metrics={"test_accuracy": 0.5}, predictions=predictions
    )
    with pytest.raises(CorruptStore, match=r"test_accuracy is 1.0000 by these .*, 0.5000 in the"):
        report(store, manifest, [run])


def test_the_confusion_matrix_holds_an_independent_count(store, manifest, run):
    rows = open_test(store, manifest, run).to_pylist()
    cells = {
        pair: sum((row["label"], row["predicted"]) == pair for row in rows)
        for pair in itertools.product(manifest.classes, repeat=2)
    }
    cats, dogs = (sum(row["label"] == name for row in rows) for name in manifest.classes)
    text = report(store, manifest, [run]).section("confusion")
    assert f"cats {cells['cats', 'cats']} {cells['cats', 'dogs']} {cats}" in text
    assert f"dogs {cells['dogs', 'cats']} {cells['dogs', 'dogs']} {dogs}" in text
    recall = f"{cells['dogs', 'dogs'] / dogs:.1%}"
    precision = f"{cells['dogs', 'dogs'] / (cells['dogs', 'dogs'] + cells['cats', 'dogs']):.1%}"
    assert f"dogs {dogs} {recall} {precision}" in text


def test_many_classes_are_shown_by_their_most_confused_pairs(store, tmp_path):
    manifest = make_manifest(tmp_path, [f"class {n:02d}" for n in range(22)], (1, 1, 2))
    run = train(store, manifest, DENSE)
    open_test(store, manifest, run, every=2)
    text = report(store, manifest, [run]).section("confusion")
    assert "class 00 class 01 2" in text
    assert "The most confused of 22 classes" in text
    assert "true ↓" not in text


def test_mistakes_are_shown_with_the_surest_first(store, manifest, run):
    rows = open_test(store, manifest, run, every=3).to_pylist()
    wrong = [row for row in rows if row["label"] != row["predicted"]]
    wrong.sort(key=lambda row: -max(row["scores"]))
    text = report(store, manifest, [run]).section("mistakes")
    assert text.count("✗ predicted") == min(12, len(wrong))
    first = wrong[0]
    assert text.index(f"predicted {first['predicted']} true class {first['label']}") < 200
    shares = [float(one) for one in re.findall(r"probability (\d+\.\d)%; of the true class", text)]
    assert shares == sorted(shares, reverse=True)


def test_an_svm_has_probabilities_too(store, manifest):
    run = train(store, manifest, SVM)
    open_test(store, manifest, run, margin=True)
    text = report(store, manifest, [run]).section("mistakes")
    assert "of the true class < 0.1%" in text
    assert "margin" not in text


def test_a_page_without_mistakes_says_so(store, manifest, run):
    open_test(store, manifest, run, every=0)
    page = report(store, manifest, [run])
    assert "None: all 36 images of test are right." in page.text
    assert "100% test accuracy" in page.text
    assert "–100% 95% interval" in page.text


def test_a_data_set_that_changed_since_is_noted(store, manifest, run):
    assert "The data set has changed" not in report(store, manifest, [run]).text
    moved = replace(entries_of(manifest)[0], split="validation")
    added = entry("0/new.png", b"new", "cats", "train")
    later = with_entries(manifest, entries=(moved, *entries_of(manifest)[2:], added))
    text = report(store, later, [run]).text
    assert "2 images only in the data set now, 2 images only in the run" in text
