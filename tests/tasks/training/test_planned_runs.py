import itertools
from dataclasses import replace

import numpy as np
import pytest

from stores.runs.store import RunStore
from stores.targets import number_text
from tasks.errors import InputError
from tasks.evaluation.split_result import evaluate
from tasks.training.evaluate_test_split import check_testable, has_test_images
from tasks.training.planned_runs import choose, outcome_of
from tasks.training.trainable import check_trainable, remarks
from tests.stores.runs.test_record import RUN
from tests.support.entries import entries_of, with_entries
from tests.support.planned import planned, train


@pytest.mark.parametrize("change", ["label", "split", "seed", "head"])
def test_a_change_of_label_split_seed_or_head_is_another_run(pets, change):
    first, *others = entries_of(pets)
    changed = {"label": {"label": "dogs"}, "split": {"split": "test"}}.get(change, {})
    other = planned(
        with_entries(pets, entries=(replace(first, **changed), *others)),
        name="svm" if change == "head" else "logistic",
        seed=1 if change == "seed" else 0,
    )
    assert other.id != planned(pets).id


def test_renaming_an_image_is_the_same_run(pets):
    first, *others = entries_of(pets)
    renamed = with_entries(pets, name="animals", entries=(replace(first, path="x"), *others))
    assert planned(renamed).id == planned(pets).id


def grouped(manifest, groups, split="train"):
    """Return a manifest whose first images of a split have these groups."""
    names = iter(groups)
    entries = [
        replace(e, group=next(names, None)) if e.split == split else e for e in entries_of(manifest)
    ]
    return with_entries(manifest, entries=tuple(entries))


def test_other_groups_are_another_run(pets):
    """The kind: a run answers from the cache for images that it dealt to its folds otherwise."""
    alone, other = planned(pets).id, planned(grouped(pets, "aab")).id
    assert planned(grouped(pets, "abb")).id not in {alone, other}
    assert other != alone
    assert planned(grouped(pets, "zzy")).id == other  # by another name
    assert planned(grouped(pets, "abc")).id == alone  # of one image each
    assert planned(grouped(pets, "aab", split="test")).id == alone  # nothing learns from these


def test_a_run_keeps_the_groups_of_what_it_predicted(pets, pets_store):
    manifest = grouped(grouped(pets, "aabb"), "ccc", split="validation")
    runs = RunStore(pets_store)
    stored = runs.read(train(planned(manifest), store=pets_store))
    assert stored.groups == manifest.grouping
    rows = runs.predictions(stored.id)
    result = evaluate(rows, split="validation", classes=stored.classes)
    sizes = np.unique(result.groups, return_counts=True)[1].tolist()
    assert sorted(sizes) == [*[1] * (len(result.keys) - 3), 3]
    low, high = result.interval
    alone = replace(result, groups=None).interval
    assert low < alone[0] or high > alone[1]
    ungrouped = runs.read(train(planned(pets), store=pets_store))
    assert "group" not in runs.predictions(ungrouped.id).column_names


def test_the_best_on_validation_is_chosen_whatever_its_training_accuracy(pets, pets_store):
    run = RunStore(pets_store).read(train(planned(pets), store=pets_store))
    worse = replace(run, metrics={"train_accuracy": 1.0, "validation_accuracy": 0.5})
    better = replace(run, metrics={"train_accuracy": 0.6, "validation_accuracy": 0.9})
    assert choose([worse, better]) is better


@pytest.mark.parametrize(
    ("keep", "match"),
    [
        (lambda e: e.label == "cats", "at least 2 classes"),
        (lambda e: e.label == "cats" or e.split != "train", "no train image in class dogs"),
        (lambda e: e.split != "validation", "no validation image"),
    ],
)
def test_a_data_set_that_cannot_train_is_refused(pets, keep, match):
    entries = tuple(filter(keep, entries_of(pets)))
    classes = tuple(sorted({entry.label for entry in entries}))
    with pytest.raises(InputError, match=match):
        check_trainable(with_entries(pets, classes=classes, entries=entries))


@pytest.mark.parametrize(
    ("target", "label", "folds", "match"),
    [
        ("number", lambda e: "1.0", 0, "expected at least 2 different numbers in train, found on"),
        ("number", lambda e: "1.0", 2, "expected at least 2 different numbers in train, found on"),
        ("labels", lambda e: "" if e.split == "train" else "old", 0, "no train image with label "),
        ("labels", lambda e: "old" if e.split == "train" else "", 0, "no validation image has a"),
        ("labels", lambda e: "old" if e.path == "dogs/0" else "", 2, "label old has fewer; add"),
    ],
)
def test_targets_that_cannot_be_learned_or_compared_are_refused(pets, target, label, folds, match):
    entries = [replace(entry, label=label(entry)) for entry in entries_of(pets)]
    separator = "|" if target == "labels" else ""
    changed = with_entries(
        pets, entries, classes=("old",), target=target, label_separator=separator
    )
    with pytest.raises(InputError, match=match):
        check_trainable(changed, folds)
    check_trainable(replace(changed, rows=pets.rows, target="classes", classes=pets.classes))


def test_a_test_split_without_a_label_is_not_evaluated(pets):
    entries = [replace(e, label="" if e.split == "test" else "old") for e in entries_of(pets)]
    changed = with_entries(pets, entries, classes=("old",), target="labels", label_separator="|")
    assert not has_test_images(changed)
    with pytest.raises(InputError, match="no test image has a label; add images, or ingest"):
        check_testable(changed)


def test_a_class_of_one_image_is_refused_for_folds(pets):
    lone = [e for e in entries_of(pets) if e.label == "cats" or e.path == "dogs/0"]
    with pytest.raises(InputError, match="images per class, class dogs has fewer; add"):
        check_trainable(with_entries(pets, entries=tuple(lone)), folds=5)


def without(manifest, gone):
    return with_entries(manifest, entries=tuple(e for e in entries_of(manifest) if not gone(e)))


def test_little_to_measure_on_is_remarked(pets):
    assert remarks(pets) == [
        "heads are evaluated on only 4 images: accuracies are uncertain; use --folds to evaluate "
        "on the train images too"
    ]
    assert remarks(pets, folds=5) == [
        "heads are evaluated on only 16 images: accuracies are uncertain"
    ]


def test_a_class_that_is_not_measured_on_is_remarked(pets):
    lacking = without(pets, lambda e: e.label == "dogs" and e.split == "validation")
    assert "no validation image in class dogs" in remarks(lacking)[1]
    few = without(pets, lambda e: e.path in {f"dogs/{n}" for n in range(5)})
    assert "fewer images than folds in class dogs" in remarks(few, folds=5)[1]


@pytest.mark.parametrize(
    ("target", "metric", "better", "worse"),
    [
        ("classes", "accuracy", 0.9, 0.8),
        ("labels", "mean_average_precision", 0.9, 0.8),
        ("number", "mean_absolute_error", 1.5, 2.0),
    ],
)
def test_a_guided_search_looks_for_the_better_figure(target, metric, better, worse):
    outcomes = [
        outcome_of(replace(RUN, target=target, metrics={f"validation_{metric}": value}))
        for value in (better, worse)
    ]
    assert outcomes[0] > outcomes[1]
    assert outcome_of(replace(RUN, target=target, metrics={}, failure="it diverged")) is None


@pytest.mark.parametrize(
    ("numbers", "match"),
    [
        ([3.0], "expected at least 2 different numbers in train, found only 3"),
        ([1e35, 2e35], r"numbers up to 2e\+35 are beyond the precision of heads; subtract"),
        ([1.7e9, 1.7e9 + 8], r"up to 1.7e\+09 with a deviation of \S+ are beyond the precision"),
        ([1.7e9, 1.8e9], None),
        ([-2e-20, 1e-20], None),
    ],
)
def test_numbers_that_no_head_can_learn_are_refused(pets, numbers, match):
    of_image = itertools.cycle(number_text(value) for value in numbers)
    entries = tuple(replace(e, label=next(of_image)) for e in entries_of(pets))
    manifest = with_entries(pets, entries=entries, target="number", classes=("age",))
    if match is None:
        check_trainable(manifest)
    else:
        with pytest.raises(InputError, match=match):
            check_trainable(manifest)
