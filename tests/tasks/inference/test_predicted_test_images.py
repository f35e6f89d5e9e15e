"""Predictions of a run's own test images are marked, and counted where their labels are at hand."""

import shutil
from pathlib import Path

import pytest

from stores.manifest import Manifest
from stores.runs.store import RunStore
from tasks.heads.presets import make_head
from tasks.inference.predict import Prediction
from tasks.inference.predicted_test_images import (
    _names,
    dataset_images,
    record_test_images,
    with_splits,
)
from tasks.training.planned_runs import PlannedRun
from tests.support.entries import entries_of
from tests.support.planned import planned, train
from tests.support.samples import RECIPE
from tests.support.targets import relabelled


@pytest.fixture
def run(pets, pets_store):
    pets.write(pets_store)
    return RunStore(pets_store).read(train(planned(pets), store=pets_store))


def predictions_of(entries, folder):
    return [
        Prediction(f"{folder}/{entry.path}", "cats", (0.9, 0.1), key=entry.key) for entry in entries
    ]


def counted(predictions, run, store):
    """Return how many predictions were recorded, and how often the test split was looked at."""
    images = dataset_images(run, store=store)
    recorded = record_test_images(with_splits(predictions, images), images, run, store=store)
    keys = Manifest.read(store, "pets").select("test").keys
    return recorded, RunStore(store).times_opened(keys)


def test_images_of_the_data_set_are_marked_with_their_split(run, pets, pets_store):
    said = [
        *predictions_of(entries_of(pets), pets.folder),
        Prediction("new.png", "cats", (0.9, 0.1)),
    ]
    marked = with_splits(said, dataset_images(run, store=pets_store))
    assert [one.split for one in marked] == [*(entry.split for entry in entries_of(pets)), ""]


def test_test_images_are_counted_once_where_their_labels_are_at_hand(run, pets, pets_store):
    said = predictions_of(entries_of(pets), pets.folder)
    assert counted(said, run, pets_store) == (4, 1)
    assert counted(said, run, pets_store) == (0, 1)
    table = RunStore(pets_store).table()
    assert table["test_openings"].to_pylist() == [1]
    assert table["test_accuracy"].to_pylist() == [None]


def test_copies_in_folders_of_their_classes_have_their_labels_at_hand(run, pets, pets_store):
    assert counted(predictions_of(entries_of(pets), "/elsewhere"), run, pets_store) == (4, 1)


@pytest.mark.parametrize(
    ("target", "answer", "scores"),
    [("labels", ("cats",), (0.9, 0.1, 0.4)), ("number", 12.5, (12.5,))],
)
def test_labels_and_numbers_are_recorded_beside_the_truth(target, answer, scores, pets, pets_store):
    manifest = relabelled(pets, target, pets_store)
    head = make_head("ridge", {}, classes=len(manifest.classes), target=target)
    plan = PlannedRun(manifest, RECIPE, head, 0, {})
    run = RunStore(pets_store).read(train(plan, store=pets_store))
    said = [
        Prediction(f"{pets.folder}/{entry.path}", answer, scores, key=entry.key)
        for entry in entries_of(manifest)
    ]
    images = dataset_images(run, store=pets_store)
    marked = with_splits(said, images)
    assert record_test_images(marked, images, run, store=pets_store) == 4
    assert record_test_images(marked, images, run, store=pets_store) == 0
    assert len(RunStore(pets_store).tested_keys(run.id)) == 4  # whole, as they were read


@pytest.mark.parametrize(
    ("part", "label", "stands"),
    [
        ("cat.000.png", "cat", True),
        ("cat12.jpg", "cats", True),
        ("Cats", "cat", True),
        ("tabby_cat", "Tabby Cat", True),
        ("+1", "+1", True),
        ("cattle", "cat", False),
        ("0012.png", "1", False),
        ("digit_1.png", "1", True),
    ],
)
def test_a_class_stands_in_a_name_however_it_is_written(part, label, stands):
    """The kind: labels that are at hand by another way than the one that was thought of."""
    assert _names(part, label) is stands


def test_files_without_labels_and_train_images_are_not_counted(run, pets, pets_store):
    flat = [
        Prediction(f"/elsewhere/{n}.png", "cats", (0.9, 0.1), key=entry.key)
        for n, entry in enumerate(entries_of(pets))
    ]
    assert counted(flat, run, pets_store) == (0, 0)
    train_images = [entry for entry in entries_of(pets) if entry.split == "train"]
    assert counted(predictions_of(train_images, pets.folder), run, pets_store) == (0, 0)


def test_a_partial_look_is_no_test_evaluation(run, pets, pets_store):
    from tasks.training.evaluate_test_split import open_test

    one = [entry for entry in entries_of(pets) if entry.split == "test"][:1]
    assert counted(predictions_of(one, pets.folder), run, pets_store) == (1, 1)
    assert not RunStore(pets_store).openings(run.id)
    assert open_test(run.id, pets, RECIPE, store=pets_store, asked_by="test").metrics
    predicted = RunStore(pets_store).predictions(run.id)
    assert predicted.num_rows == len(entries_of(pets))
    assert counted(predictions_of(one, pets.folder), run, pets_store) == (0, 2)


def test_of_a_data_set_that_is_gone_nothing_is_known(run, pets_store):
    shutil.rmtree(Path(pets_store) / "datasets")
    assert dataset_images(run, store=pets_store).manifest is None
