"""What the report says of all heads, of labels and of likeness."""

import csv
import re
from dataclasses import replace

import numpy as np
import pytest

from stores.features.store import FeatureStore
from tasks.datasets.folds import fold_numbers
from tasks.evaluation.costs import costs_of
from tasks.evaluation.duplicate_search import find_near_duplicates, shown_pairs
from tasks.features.accounting import RecipeSummary
from tasks.report.sweep_sections import recipe_labels
from tasks.report.write import report_place, write_report
from tests.support.browser import opened_page
from tests.support.entries import as_entries, entries_of
from tests.support.reports import (
    DENSE,
    LOGISTIC,
    SVM,
    Page,
    extraction,
    make_manifest,
    open_test,
    predict,
    report,
    train,
)
from tests.support.samples import RECIPE


@pytest.fixture
def manifest(tmp_path):
    return make_manifest(tmp_path)


def test_the_best_of_several_is_corrected_for_selection(store, manifest):
    several = [train(store, manifest, DENSE, every=n, seed=n) for n in (3, 4, 5)]
    told = report(store, manifest, several, chosen=2).text
    assert "Corrected for selection (the best of 3 runs tried on this data set), expect" in told
    told = report(store, manifest, several, chosen=0).text
    assert "Corrected for selection (number 3 of 3 runs tried" in told


def test_runs_of_other_commands_count_too(store, manifest):
    first = train(store, manifest, LOGISTIC)
    assert "Corrected for selection" not in report(store, manifest, [first]).text
    train(store, manifest, SVM, every=3)
    page = report(store, manifest, [first])
    assert "Corrected for selection (the best of 2 runs tried" in page.text
    assert "expected accuracy, corrected for selection (the best of 2 runs tried" in page.text


def test_accuracy_is_drawn_against_what_varies_and_nothing_else(store, manifest):
    heads = [DENSE | {"learning_rate": rate} for rate in (0.1, 0.01, 0.001)]
    runs = [train(store, manifest, head, every=3 + n) for n, head in enumerate(heads)]
    told = report(store, manifest, runs).section("heads", raw=True)
    assert re.findall(r'aria-label="(Accuracy of [^"]*)"', told) == [
        "Accuracy of 3 heads against learning rate"
    ]


def test_a_setting_is_compared_within_a_kind_and_the_kinds_among_each_other(store, manifest):
    heads = (LOGISTIC, SVM, SVM | {"inverse_regularization": 5.0})
    runs = [train(store, manifest, head, every=3 + n) for n, head in enumerate(heads)]
    told = report(store, manifest, runs).section("heads", raw=True)
    assert re.findall(r'aria-label="(Accuracy of [^"]*)"', told) == [
        "Accuracy of 3 heads against kind",
        "Accuracy of 2 heads against svm: inverse regularization",
    ]


def test_a_head_that_failed_is_listed_with_its_reason(store, manifest):
    runs = [train(store, manifest, LOGISTIC), train(store, manifest, SVM, failure="it diverged")]
    assert "it diverged" in report(store, manifest, runs).section("heads")


def test_all_curves_are_drawn_in_one(store, manifest):
    runs = [train(store, manifest, DENSE, epochs=3, seed=seed) for seed in range(2)]
    assert "Loss of 2 heads over the epochs" in report(store, manifest, runs).raw


def test_calibration_is_told_before_and_after_and_margins_are_nowhere(store, manifest):
    run = train(store, manifest, SVM, table=predict(manifest, ("train", "validation"), margin=True))
    page = report(store, manifest, [run])
    told = page.section("calibration")
    assert "before: softmax of the head's margins" in told
    assert "each fifth of these images was calibrated by the other four" in told
    assert page.raw.count('aria-label="Accuracy against confidence') == 2
    assert [line.split()[0] for line in re.findall(r"(?:lac|aps) [0-9.%]+", told)] == ["lac", "aps"]
    shares = [float(x) for x in re.findall(r"probability ([0-9.]+)%", page.section("mistakes"))]
    assert shares
    assert all(50 <= share <= 100 for share in shares)
    assert "margin 2." not in page.text
    open_test(store, manifest, run, margin=True)
    told = report(store, manifest, [run]).section("calibration")
    assert "Calibrated by 18 held-out images, measured on test." in told


@pytest.mark.parametrize("folds", [0, 3])
def test_suspect_labels_are_shown_and_listed_beside_the_report(store, manifest, folds):
    run = train(store, manifest, LOGISTIC, every=4, folds=folds)
    open_test(store, manifest, run)
    page = report(store, manifest, [run])
    told = page.section("suspects")
    judged = 45 if folds else 18
    assert f"Of {judged} images" in told
    assert ("--folds 5" in told) == (folds == 0)
    table = report_place(store, manifest, run.id).path.with_suffix(".suspect-labels.csv")
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert len(rows) == sum(row["label"] != row["suggested"] for row in rows) > 0
    assert rows[0]["path"] in told
    assert table.name in told


def test_what_is_shown_as_a_mistake_is_not_shown_again_as_suspect(store, manifest):
    page = report(store, manifest, [train(store, manifest, LOGISTIC, every=4)])
    assert "They are the mistakes above" in page.section("suspects")
    assert "<figure" not in page.section("suspects", raw=True)


def test_a_sweep_has_a_map_and_the_near_duplicates(store, manifest):
    images = manifest.select()
    rows = np.random.default_rng(0).normal(size=(len(images.keys), 16)).astype("f4")
    splits = [entry.split for entry in as_entries(manifest.of_status("accepted"))]
    first, second = splits.index("train"), splits.index("test")
    rows[second] = rows[first]
    FeatureStore(store, RECIPE).write(images.keys, rows)
    run = train(store, manifest, LOGISTIC, fingerprint=RECIPE.fingerprint)
    path = write_report(
        store=store,
        manifest=manifest,
        extraction=extraction(manifest),
        runs=[run.id],
        chosen=run.id,
    )
    page = Page(path)
    assert page.section("map", raw=True).count('class="dot" tabindex') == len(images.keys)
    told = page.section("near-duplicates")
    assert "1 pair of images in different splits is almost the same" in told
    assert "None found" not in told
    for number in (first, second):
        assert entries_of(manifest)[number].path in told
    assert "http" not in page.raw.replace("http://www.w3.org", "")


def test_without_features_near_duplicates_are_not_searched_for(store, manifest):
    told = report(store, manifest, [train(store, manifest, LOGISTIC)]).section("near-duplicates")
    assert "the features are not all in the store any more" in told
    assert "None found" not in told


def test_near_duplicates_are_found_in_maps_too(store, manifest):
    images = manifest.select()
    rows = np.random.default_rng(0).normal(size=(len(images.keys), 2, 3, 64)).astype("f4")
    splits = [entry.split for entry in as_entries(manifest.of_status("accepted"))]
    first, second = splits.index("train"), splits.index("test")
    rows[second] = rows[first]
    recipe = replace(RECIPE, pooling="none")
    FeatureStore(store, recipe).write(images.keys, rows)
    run = train(store, manifest, LOGISTIC, fingerprint=recipe.fingerprint)
    found = find_near_duplicates(manifest, run, store=store)
    (pair,) = shown_pairs(found, manifest, run)
    paths = {pair.first.path, pair.second.path}
    assert paths == {images.paths[first].as_py(), images.paths[second].as_py()}


def test_between_folds_near_duplicates_are_found_too(store, manifest):
    images = manifest.select()
    rows = np.random.default_rng(0).normal(size=(len(images.keys), 16)).astype("f4")
    learned = manifest.select("train", "validation")
    folds = fold_numbers(learned, 3, seed=1)
    place = {bytes(key): n for n, key in enumerate(images.keys)}
    first, second = (place[bytes(learned.keys[int((folds == n).argmax())])] for n in (0, 2))
    rows[second] = rows[first]
    FeatureStore(store, RECIPE).write(images.keys, rows)
    without = train(store, manifest, LOGISTIC, fingerprint=RECIPE.fingerprint)
    by_folds = replace(without, folds=3, fold_seed=1)
    assert not find_near_duplicates(manifest, without, store=store).pairs
    found = find_near_duplicates(manifest, by_folds, store=store)
    (pair,) = shown_pairs(found, manifest, by_folds)
    assert {pair.first.split, pair.second.split} == {"fold 1", "fold 3"}


def test_with_folds_the_report_is_about_the_folds(store, manifest):
    run = train(store, manifest, LOGISTIC, folds=3)
    page = report(store, manifest, [run, train(store, manifest, SVM, folds=3)])
    assert "accuracy on 3 folds " in page.text
    assert "chosen on 3 folds among 2 candidates" in page.text
    assert "Confusion on the folds" in page.section("confusion")


def test_without_near_duplicates_the_report_says_so(store, manifest):
    images = manifest.select()
    rows = np.random.default_rng(0).normal(size=(len(images.keys), 16)).astype("f4")
    FeatureStore(store, RECIPE).write(images.keys, rows)
    run = replace(train(store, manifest, LOGISTIC, fingerprint=RECIPE.fingerprint))
    path = write_report(
        store=store,
        manifest=manifest,
        extraction=extraction(manifest),
        runs=[],
        chosen=run.id,
    )
    assert "None found" in Page(path).section("near-duplicates")


def test_a_head_on_features_of_another_recipe_is_shown_by_its_fingerprint(store, manifest):
    runs = [train(store, manifest, LOGISTIC), train(store, manifest, SVM, fingerprint="cd" * 32)]
    assert "cd" * 8 in report(store, manifest, runs).section("heads")


def test_recipes_are_told_apart_by_what_was_chosen():
    """The kind: what follows from a backbone is said beside it."""
    other = replace(RECIPE, backbone="other", weights="sha256:0", preprocessing="another")
    prepared = replace(RECIPE, preprocessing="rgb: another")

    def labels(*recipes):
        of = [RecipeSummary(one.tap, one.fingerprint, None, one) for one in recipes]
        return list(recipe_labels(of).values())

    assert labels(RECIPE, other) == [f"{RECIPE.backbone}, {RECIPE.tap}", f"other, {RECIPE.tap}"]
    assert labels(RECIPE, prepared)[1] == f"rgb: another, {RECIPE.tap}"


def test_costs_move_the_threshold_and_find_more_of_what_is_dear(store, manifest):
    run = train(store, manifest, LOGISTIC, every=4)
    costs = costs_of(["false-negative=9"], manifest.classes)
    told = report(store, manifest, [run], costs=costs).section("costs")
    assert "To miss an image costs 9 for dogs, 1 for the other class." in told
    assert "dogs is then predicted from a probability of 0.100 on" in told


def test_the_mistakes_can_be_filtered_by_class_without_a_script(store, manifest):
    run = train(store, manifest, LOGISTIC, every=1)
    path = report_place(store, manifest, run.id).path
    report(store, manifest, [run])
    with opened_page() as page:
        page.set_content(path.read_text())
        shown = page.locator("#mistakes figure:visible")
        all_of_them = shown.count()
        page.select_option("#mistakes .true", index=1)
        some = shown.count()
        assert 0 < some < all_of_them
        true = page.locator("#mistakes .true option:checked").inner_text()
        assert {
            text.removeprefix("true class ") for text in shown.locator(".true").all_inner_texts()
        } == {true}
