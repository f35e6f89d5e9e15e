import errno
from dataclasses import replace

import numpy as np
import pytest

from stores.errors import CorruptStore, MissingFeatures
from stores.features import FeatureStore
from stores.keys import ImageKey
from stores.manifest import Entry, Manifest
from stores.runs import RunStore
from tasks.errors import InputError
from tasks.heads.choices import HeadSettings, make_heads
from tasks.train import PlannedRun, check_trainable, choose, load_head, open_test, train
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


def planned(manifest, name="logistic", seed=0):
    heads = make_heads([name], HeadSettings(), classes=2, feature_shape=(4,))
    return PlannedRun(manifest, RECIPE, heads[name], seed, {"head": name})


def test_a_run_holds_metrics_predictions_and_a_model(manifest, store):
    run = train(planned(manifest), store=store)
    runs = RunStore(store)
    assert runs.read(run).metrics == {"train_accuracy": 1.0, "validation_accuracy": 1.0}
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
    monkeypatch.setattr("tasks.train.trainer_of", lambda kind: pytest.fail("trained again"))
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
    with pytest.raises(MissingFeatures, match="1 of 13 features are not stored"):
        train(planned(grown), store=store)


def test_the_test_split_is_opened_once_and_recorded(manifest, store):
    run = train(planned(manifest), store=store)
    assert not RunStore(store).openings(run)
    for _ in range(2):
        opening = open_test(run, manifest, RECIPE, store=store, asked_by="test")
    assert opening.metrics == {"test_accuracy": 1.0}
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
