import shutil
from dataclasses import replace

import numpy as np
import pytest

from stores.errors import MissingFeatures
from stores.features.store import FeatureStore
from stores.keys import ImageKey
from stores.runs.store import RunStore
from tasks.errors import InputError
from tasks.evaluation.selection import selection_of
from tasks.heads.stored import load_head
from tasks.training.planned_runs import choose, head_groups
from tasks.training.train import train as train_all
from tests.support.entries import entries_of, with_entries
from tests.support.planned import planned, train
from tests.support.samples import RECIPE


def test_a_run_holds_metrics_predictions_and_a_model(pets, pets_store):
    run = train(planned(pets), store=pets_store)
    runs = RunStore(pets_store)
    metrics = runs.read(run).metrics
    assert (metrics["train_accuracy"], metrics["validation_accuracy"]) == (1.0, 1.0)
    assert metrics["validation_roc_area"] == 1.0
    told = runs.predictions(run)
    assert told.num_rows == 16
    assert set(told["split"].to_pylist()) == {"train", "validation"}
    features = FeatureStore(pets_store, RECIPE).read(pets.select("validation").keys)
    assert load_head(runs, runs.read(run)).scores(features).argmax(1).tolist() == [0, 0, 1, 1]


def test_predictions_stand_beside_the_keys_that_they_are_of(pets, pets_store):
    run = train(planned(pets), store=pets_store)
    labels = {entry.key: entry.label for entry in entries_of(pets)}
    for row in RunStore(pets_store).predictions(run).to_pylist():
        assert labels[row["key"]] == row["label"] == row["predicted"]


def test_the_same_head_is_not_trained_again(pets, pets_store, monkeypatch):
    run = train(planned(pets), store=pets_store)
    monkeypatch.setattr("tasks.training.train.find_kind", lambda kind: pytest.fail("trained again"))
    assert train(planned(pets), store=pets_store) == run


def test_images_without_features_stop_the_training(pets, pets_store):
    new = replace(entries_of(pets)[0], path="cats/new", key=ImageKey.of(b"new"))
    grown = with_entries(pets, entries=(*entries_of(pets), new))
    with pytest.raises(MissingFeatures, match="1 of 17 features are not stored"):
        train(planned(grown), store=pets_store)


@pytest.mark.parametrize("name", ["dense", "logistic"])
def test_with_folds_each_image_is_judged_by_a_head_that_has_not_seen_it(pets, pets_store, name):
    # Labels that the features do not tell: only a head that has learned an image knows it.
    noise = np.random.default_rng(1).normal(size=(20, 400)).astype("f4")
    recipe = replace(RECIPE, tap="noise")
    FeatureStore(pets_store, recipe).write(pets.select().keys, noise)
    asked = {"epochs": 200} if name == "dense" else {}
    run = train(replace(planned(pets, name, folds=4, **asked), recipe=recipe), store=pets_store)
    stored = RunStore(pets_store).read(run)
    assert stored.folds == 4
    assert stored.metrics["train_accuracy"] > 0.9
    assert stored.metrics["validation_accuracy"] < 0.85
    assert RunStore(pets_store).predictions(run).num_rows == 16


def test_a_seed_of_folds_is_another_run_on_the_same_images(pets, pets_store):
    plans = [replace(planned(pets, folds=4), fold_seed=seed) for seed in range(2)]
    first, second = (RunStore(pets_store).read(train(plan, store=pets_store)) for plan in plans)
    assert first.id == planned(pets, folds=4).id != second.id
    assert (first.fold_seed, second.fold_seed) == (0, 1)
    assert selection_of(RunStore(pets_store), first).tried == 2
    assert head_groups(plans, store=pets_store) == [[plan] for plan in plans]


def test_only_what_came_out_otherwise_has_a_new_version(pets):
    """No run id changes where the numbers do not."""
    asked = [("dense", {}), ("dense", {"patience": 3}), ("dense", {"class_weights": "balanced"})]
    asked += [(kind, {}) for kind in ("logistic", "svm", "ridge", "centroid", "knn")]
    versions = [planned(pets, kind, **about).specification["version"] for kind, about in asked]
    assert versions == [2, 3, 3, 1, 1, 1, 1, 2]


def test_after_the_folds_a_head_learns_for_as_many_epochs_as_were_best_on_them(pets, pets_store):
    plan = planned(pets, "dense", folds=4, learning_rate=0.5, patience=2, epochs=50)
    run = train(plan, store=pets_store)
    history = RunStore(pets_store).history(run)
    assert 0 < len(history) < 50
    assert history.column_names == ["epoch", "accuracy", "loss"]


def test_a_head_that_fails_is_kept_with_its_reason_and_the_others_go_on(pets, pets_store):
    FeatureStore(pets_store, replace(RECIPE, tap="huge")).write(
        pets.select().keys, np.full((20, 4), 1e30, "f4")
    )
    plans = [
        replace(planned(pets, "dense", **asked), recipe=replace(RECIPE, tap="huge"))
        for asked in ({"learning_rate": 1e5}, {"learning_rate": 1e-30, "standardize": True})
    ]
    failed, whole = map(RunStore(pets_store).read, train_all(plans, store=pets_store))
    assert "diverged" in failed.failure
    assert not whole.failure
    assert choose([failed, whole]) is whole
    with pytest.raises(InputError, match=r"has no model: .*diverged"):
        load_head(RunStore(pets_store), failed)
    with pytest.raises(InputError, match=r"the training of every head failed: .*diverged"):
        choose([failed])


def test_heads_that_are_trained_together_are_those_trained_alone(pets, pets_store, tmp_path):
    plans = [planned(pets, "dense", seed=seed) for seed in range(3)]
    together = train_all(plans, store=pets_store)
    told = [RunStore(pets_store).predictions(run) for run in together]
    shutil.rmtree(pets_store / "runs")
    for plan, table in zip(plans, told, strict=True):
        assert RunStore(pets_store).predictions(train(plan, store=pets_store)).equals(table)
