import errno
import shutil
from dataclasses import replace

import numpy as np
import pytest

from stores.errors import CorruptStore, MissingFeatures
from stores.features import FeatureStore
from stores.keys import ImageKey
from stores.manifest import Entry, Manifest
from stores.runs import RunStore
from tasks.errors import InputError
from tasks.heads.choices import make_heads
from tasks.open_test import load_head, open_test
from tasks.plans import PlannedRun, check_trainable, choose
from tasks.train import train as train_all
from tests.stores.samples import RECIPE, flip

SPLITS = ["train"] * 6 + ["validation"] * 2 + ["test"] * 2


@pytest.fixture
def manifest():
    """Ten images of each of two classes; no file of theirs exists."""
    entries = [
        Entry(
            f"{name}/{n}",
            ImageKey.of(f"{name}{n}".encode()),
            name,
            SPLITS[n],
            "accepted",
            "",
            n,
            0,
            0,
            0,
        )
        for name in ("cats", "dogs")
        for n in range(10)
    ]
    return Manifest("pets", "/nowhere", ("cats", "dogs"), 0, 0.2, 0.2, 0, tuple(entries))


@pytest.fixture
def store(manifest, tmp_path):
    """A store with features that tell the classes apart."""
    images = manifest.select()
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(20, 4)).astype("f4") + 5 * images.labels[:, None]
    FeatureStore(tmp_path, RECIPE).write(images.keys, rows)
    return tmp_path


def planned(manifest, name="logistic", seed=0, folds=0, **settings):
    heads = make_heads([name], settings, classes=2, feature_shape=(4,))
    return PlannedRun(manifest, RECIPE, heads[name], seed, {"head": name}, folds)


def train(plan, *, store):
    (run,) = train_all([plan], store=store)
    return run


def test_a_run_holds_metrics_predictions_and_a_model(manifest, store):
    run = train(planned(manifest), store=store)
    runs = RunStore(store)
    metrics = runs.read(run).metrics
    assert (metrics["train_accuracy"], metrics["validation_accuracy"]) == (1.0, 1.0)
    assert metrics["validation_roc_area"] == 1.0
    told = runs.predictions(run)
    assert told.num_rows == 16
    assert set(told["split"].to_pylist()) == {"train", "validation"}
    features = FeatureStore(store, RECIPE).read(manifest.select("validation").keys)
    assert load_head(runs, runs.read(run)).scores(features).argmax(1).tolist() == [0, 0, 1, 1]


def test_predictions_stand_beside_the_keys_that_they_are_of(manifest, store):
    run = train(planned(manifest), store=store)
    labels = {entry.key: entry.label for entry in manifest.entries}
    for row in RunStore(store).predictions(run).to_pylist():
        assert labels[row["key"]] == row["label"] == row["predicted"]


def test_the_same_head_is_not_trained_again(manifest, store, monkeypatch):
    run = train(planned(manifest), store=store)
    monkeypatch.setattr("tasks.train.find_kind", lambda kind: pytest.fail("trained again"))
    assert train(planned(manifest), store=store) == run


@pytest.mark.parametrize("change", ["label", "split", "seed", "head"])
def test_a_change_of_label_split_seed_or_head_is_another_run(manifest, change):
    first, *others = manifest.entries
    changed = {"label": {"label": "dogs"}, "split": {"split": "test"}}.get(change, {})
    other = planned(
        replace(manifest, entries=(replace(first, **changed), *others)),
        name="svm" if change == "head" else "logistic",
        seed=1 if change == "seed" else 0,
    )
    assert other.id != planned(manifest).id


def test_renaming_an_image_is_the_same_run(manifest):
    first, *others = manifest.entries
    renamed = replace(manifest, name="animals", entries=(replace(first, path="x"), *others))
    assert planned(renamed).id == planned(manifest).id


def test_images_without_features_stop_the_training(manifest, store):
    new = replace(manifest.entries[0], path="cats/new", key=ImageKey.of(b"new"))
    grown = replace(manifest, entries=(*manifest.entries, new))
    with pytest.raises(MissingFeatures, match="1 of 17 features are not stored"):
        train(planned(grown), store=store)


@pytest.mark.parametrize("name", ["dense", "logistic"])
def test_with_folds_each_image_is_judged_by_a_head_that_has_not_seen_it(manifest, store, name):
    # Labels that the features do not tell: only a head that has learned an image knows it.
    noise = np.random.default_rng(1).normal(size=(20, 400)).astype("f4")
    recipe = replace(RECIPE, tap="noise")
    FeatureStore(store, recipe).write(manifest.select().keys, noise)
    asked = {"epochs": 200} if name == "dense" else {}
    run = train(replace(planned(manifest, name, folds=4, **asked), recipe=recipe), store=store)
    stored = RunStore(store).read(run)
    assert stored.folds == 4
    assert stored.metrics["train_accuracy"] > 0.9
    assert stored.metrics["validation_accuracy"] < 0.85
    assert RunStore(store).predictions(run).num_rows == 16


def test_after_the_folds_a_head_learns_for_as_many_epochs_as_were_best_on_them(manifest, store):
    plan = planned(manifest, "dense", folds=4, learning_rate=0.5, patience=2, epochs=50)
    run = train(plan, store=store)
    history = RunStore(store).history(run)
    assert 0 < len(history) < 50
    assert history.column_names == ["epoch", "accuracy", "loss"]


def test_a_head_that_fails_is_kept_with_its_reason_and_the_others_go_on(manifest, store):
    FeatureStore(store, replace(RECIPE, tap="huge")).write(
        manifest.select().keys, np.full((20, 4), 1e30, "f4")
    )
    plans = [
        replace(planned(manifest, "dense", **asked), recipe=replace(RECIPE, tap="huge"))
        for asked in ({"learning_rate": 1e5}, {"learning_rate": 1e-30, "standardize": True})
    ]
    failed, whole = map(RunStore(store).read, train_all(plans, store=store))
    assert "diverged" in failed.failure
    assert not whole.failure
    assert choose([failed, whole]) is whole
    with pytest.raises(InputError, match=r"has no model: .*diverged"):
        load_head(RunStore(store), failed)
    with pytest.raises(InputError, match=r"no head could be trained: .*diverged"):
        choose([failed])


def test_heads_that_are_trained_together_are_those_trained_alone(manifest, store, tmp_path):
    plans = [planned(manifest, "dense", seed=seed) for seed in range(3)]
    together = train_all(plans, store=store)
    told = [RunStore(store).predictions(run) for run in together]
    shutil.rmtree(store / "runs")
    for plan, table in zip(plans, told, strict=True):
        assert RunStore(store).predictions(train(plan, store=store)).equals(table)


def test_the_test_split_is_opened_once_and_recorded(manifest, store):
    run = train(planned(manifest), store=store)
    assert not RunStore(store).openings(run)
    for _ in range(2):
        opening = open_test(run, manifest, RECIPE, store=store, asked_by="test")
    assert opening.metrics["test_accuracy"] == 1.0
    assert len(RunStore(store).openings(run)) == 1
    assert RunStore(store).predictions(run).num_rows == 20


def test_an_opening_that_was_recorded_before_an_error_is_not_repeated(manifest, store, monkeypatch):
    def fail(folder):
        if folder.name == "test" and list(folder.glob("*.json")):
            raise OSError(errno.EIO, "I/O")

    run = train(planned(manifest), store=store)
    monkeypatch.setattr("stores.publish.sync_folder", fail)
    with pytest.raises(OSError, match="I/O"):
        open_test(run, manifest, RECIPE, store=store, asked_by="test")
    assert open_test(run, manifest, RECIPE, store=store, asked_by="again").asked_by == "test"
    assert RunStore(store).times_opened(manifest.select("test").keys) == 1


@pytest.mark.parametrize("name", ["logistic", "dense"])
def test_a_damaged_model_is_an_error_with_a_way_out(manifest, store, name):
    run = train(planned(manifest, name), store=store)
    (model,) = store.glob("runs/*/model/*")
    flip(model, model.stat().st_size // 2)
    with pytest.raises(CorruptStore, match=rf"{model.name}: .*damaged.*train again"):
        open_test(run, manifest, RECIPE, store=store, asked_by="test")
    assert not RunStore(store).openings(run)


def test_the_test_split_of_a_changed_data_set_stays_closed(manifest, store):
    run = train(planned(manifest), store=store)
    changed = replace(manifest, entries=manifest.entries[1:])
    with pytest.raises(InputError, match="has changed since"):
        open_test(run, changed, RECIPE, store=store, asked_by="test")


def test_the_best_on_validation_is_chosen_whatever_its_training_accuracy(manifest, store):
    run = RunStore(store).read(train(planned(manifest), store=store))
    worse = replace(run, metrics={"train_accuracy": 1.0, "validation_accuracy": 0.5})
    better = replace(run, metrics={"train_accuracy": 0.6, "validation_accuracy": 0.9})
    assert choose([worse, better]) is better


@pytest.mark.parametrize(
    ("keep", "match"),
    [
        (lambda e: e.label == "cats", "one class"),
        (lambda e: e.label == "cats" or e.split != "train", "no training image in class dogs"),
        (lambda e: e.split != "validation", "no validation image"),
    ],
)
def test_a_data_set_that_cannot_train_is_refused(manifest, keep, match):
    entries = tuple(filter(keep, manifest.entries))
    classes = tuple(sorted({entry.label for entry in entries}))
    with pytest.raises(InputError, match=match):
        check_trainable(replace(manifest, classes=classes, entries=entries))


def test_a_class_of_one_image_is_refused_for_folds(manifest):
    lone = [e for e in manifest.entries if e.label == "cats" or e.path == "dogs/0"]
    with pytest.raises(InputError, match="fewer than 2 images to learn from in class dogs"):
        check_trainable(replace(manifest, entries=tuple(lone)), folds=5)
