from collections import Counter

import numpy as np
import pytest

from stores.runs.checkpoints import Checkpoints
from stores.runs.store import RunStore
from tasks.datasets.folds import folds_of
from tasks.errors import InputError
from tasks.finetune import loop as learning
from tasks.finetune.train import is_stored, parts_of
from tasks.heads import specification
from tasks.heads.presets import make_head
from tasks.inference.predict import load_classifier, predict
from tests.support.tuning import (
    backbone_of,
    compute_prefix,
    forget,
    start,
    untouched_features,
)


class Killed(BaseException):
    pass


def die_at_batch(started, number, monkeypatch, *strategy, **asked):
    """Fine-tune, and end without any clean-up at the nth batch of all."""
    seen = Counter()

    def advance(count):
        seen["batches"] += 1
        if seen["batches"] == number:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(learning, "advance", advance)
        with pytest.raises(Killed):
            started.tune(*strategy, **asked)


def test_a_fine_tuning_that_was_killed_ends_like_one_that_was_not(started, store, monkeypatch):
    asked = {"augmentation": "flip=horizontal, rotation=0.2"}
    undisturbed = started.tune(**asked)
    weights, metrics = backbone_of(undisturbed, store), undisturbed.metrics
    history = RunStore(store).history(undisturbed.id)
    forget(undisturbed, store)
    for batch in (2, 5, 6):  # in the first, the second and the third epoch, of 4 batches each
        die_at_batch(started, batch, monkeypatch, **asked)
    assert Checkpoints(store, undisturbed.id).latest().epochs == 2
    resumed = started.tune(**asked)
    assert resumed.id == undisturbed.id
    assert resumed.metrics == pytest.approx(metrics, abs=1e-5)
    again = backbone_of(resumed, store)
    assert again.keys() == weights.keys()
    assert all(np.abs(again[name] - weights[name]).max() <= 1e-5 for name in weights)
    assert RunStore(store).history(resumed.id)["loss"].to_pylist() == pytest.approx(
        history["loss"].to_pylist(), abs=1e-5
    )
    assert Checkpoints(store, undisturbed.id).latest() is None


def test_it_may_go_on_from_features_where_it_began_from_images(started, store, monkeypatch):
    undisturbed = started.tune(epochs=3)
    weights = backbone_of(undisturbed, store)
    forget(undisturbed, store)
    die_at_batch(started, 5, monkeypatch, epochs=3)
    compute_prefix(started, started.plan(epochs=3, from_cache=True))
    resumed = started.tune(epochs=3, from_cache=True)
    assert resumed.id == undisturbed.id
    again = backbone_of(resumed, store)
    assert all(np.allclose(again[name], weights[name], atol=1e-4) for name in weights)


# In the first epoch and in the second or third: early stopping may end it after three.
@pytest.mark.parametrize("killed_at", [(), (3, 7)])
def test_with_patience_the_best_epoch_is_taken(started, store, monkeypatch, killed_at):
    asked = {"epochs": 12, "patience": 2, "learning_rate": 0.3, "optimizer": "sgd"}
    for batch in killed_at:
        die_at_batch(started, batch, monkeypatch, "full", **asked)
    tuned = started.tune("full", **asked)
    told = RunStore(store).history(tuned.id).slice(5)["stopping_loss"].to_pylist()
    best = told.index(min(told))
    assert len(told) in {12, best + 3}
    assert best < len(told) - 1, "choose other settings: nothing was lost by going on"
    shorter = started.tune("full", **asked | {"epochs": best + 1})
    scores = [RunStore(store).predictions(run.id)["scores"].to_pylist() for run in (tuned, shorter)]
    assert np.allclose(*scores, atol=1e-6)


def test_what_ends_a_fine_tuning_neither_measures_it_nor_is_learned_from(started):
    """The kind: early stopping is measured on the images that stopped it."""
    (fold,) = folds_of(started.manifest, 0)
    parts = parts_of(fold, started.plan("full", patience=2).tuning)
    assert len(parts.stopping) == fold.train.sum() // 5 > 0
    every = np.concatenate([parts.learned, parts.stopping, parts.validation])
    np.testing.assert_array_equal(np.sort(every), np.arange(len(fold.train)))
    np.testing.assert_array_equal(np.sort(parts.validation), np.flatnonzero(fold.validation))
    plain = parts_of(fold, started.plan("full").tuning)
    assert (len(plain.learned), len(plain.stopping)) == (fold.train.sum(), 0)


def test_a_patience_has_another_version_and_nothing_else_has(started):
    versions = [started.plan("full", **a).run.finetuning["version"] for a in ({}, {"patience": 2})]
    assert versions == [1, 2]


def test_how_a_head_was_trained_concerns_no_fine_tuning():
    given = {"class_weights": "balanced", "patience": 3}
    head = make_head("dense", given, classes=2)
    versions = [specification(head, fine_tuned=tuned)["version"] for tuned in (False, True)]
    assert versions == [3, 2]


def test_class_weights_are_not_in_the_loss_of_validation(tiny, tmp_path, store):
    started = start(tmp_path / "pets", store, epochs=3, class_weights="balanced")
    runs, tuned = RunStore(store), started.tune("full")
    rows = [r for r in runs.predictions(tuned.id).to_pylist() if r["split"] == "validation"]
    right = [row["scores"][tuned.classes.index(row["label"])] for row in rows]
    val_loss = runs.history(tuned.id)["val_loss"][-1].as_py()
    assert val_loss == pytest.approx(-np.log(right).mean(), rel=1e-4)


def test_a_run_that_is_stored_is_not_trained_again(tiny, started):
    tuned = started.tune()
    tiny.read_diary()
    assert started.tune().id == tuned.id
    assert not tiny.read_diary()


def test_only_what_is_unfrozen_changes(started, store):
    tuned = started.tune()
    before = started.tune("partial", epochs=1)
    first, second = backbone_of(before, store), backbone_of(tuned, store)
    changed = {
        name.split("/")[1] for name in first if not np.array_equal(first[name], second[name])
    }
    assert changed == {"dense"}  # the layer `gates`
    head = load_classifier(before, store=store).head
    assert not np.array_equal(head.weights["kernel_0"], _start_head(started, store))


def _start_head(started, store):
    return load_classifier(started.run, store=store, weights="none").head.weights["kernel_0"]


def test_the_curve_goes_on_from_the_heads(started, store):
    runs = RunStore(store)
    tuned = started.tune(epochs=2)
    whole, before = runs.history(tuned.id), runs.history(started.run.id)
    assert whole.slice(0, len(before)).drop(["fine_tuned"]).equals(before)
    assert whole["fine_tuned"].to_pylist() == [None] * len(before) + [1.0, 1.0]
    assert {"epoch", "loss", "accuracy", "val_loss", "val_accuracy"} < set(whole.column_names)


def test_what_the_run_says_is_what_its_own_classifier_says(started, store):
    tuned = started.tune()
    classifier = load_classifier(tuned, store=store, engine="keras")
    paths = started.images()
    told = predict(list(paths.values()), classifier, batch_size=4)
    said = dict(zip(paths, (one.scores for one in told), strict=True))
    for row in RunStore(store).predictions(tuned.id).to_pylist():
        assert said[row["key"]] == pytest.approx(row["scores"], abs=1e-5)


def test_without_a_step_the_model_is_the_head_that_it_started_with(started, store):
    tuned = started.tune("full", learning_rate=1e-30, epochs=1)
    scores = load_classifier(started.run, store=store, weights="none").head.scores(
        untouched_features(started)
    )
    said = RunStore(store).predictions(tuned.id)["scores"].to_pylist()
    assert np.allclose(said, scores, atol=1e-5)


@pytest.mark.parametrize("settings", [{}, {"standardize": False, "class_weights": "balanced"}])
def test_a_logistic_regression_learns_on(tiny, tmp_path, store, settings):
    started = start(tmp_path / "pets", store, "logistic", **settings)
    same = started.tune("full", learning_rate=1e-30, epochs=1)
    runs = RunStore(store)
    before, after = (runs.predictions(run.id).sort_by("key") for run in (started.run, same))
    assert np.allclose(before["scores"].to_pylist(), after["scores"].to_pylist(), atol=1e-5)
    loss = runs.history(started.tune("full", learning_rate=1e-3, epochs=6).id)["loss"].to_pylist()
    assert loss[-1] < loss[0]


def test_from_scratch_nothing_of_the_start_is_left(started, store):
    scratch = started.tune("scratch", epochs=1)
    partial = started.tune("partial", epochs=1)
    assert scratch.fingerprint == started.run.fingerprint  # the start's weights are untrained too
    other = started.tune("scratch", epochs=1, seed=1)
    assert other.fingerprint != scratch.fingerprint
    ones, others = backbone_of(partial, store), backbone_of(other, store)
    assert all(not np.allclose(ones[n], others[n]) for n in ones if ones[n].ndim > 1)


def test_one_that_diverges_is_a_run_with_its_reason(tiny, tmp_path, store):
    settings = {"hidden_units": (8, 8), "activation": "leaky_relu"}
    started = start(tmp_path / "pets", store, epochs=1, **settings)
    failed = started.tune("full", learning_rate=1e5, optimizer="sgd", epochs=20)
    assert "epoch" in failed.failure
    assert not failed.metrics
    assert Checkpoints(store, failed.id).latest() is None


def test_an_image_that_has_changed_ends_it(started):
    path = next(iter(started.images().values()))
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(InputError, match="changed since it was ingested"):
        started.tune()


def test_its_task_is_cached_where_the_store_has_its_run(started, store):
    planned = started.plan(epochs=1)
    assert not is_stored(planned, store=store)
    started.tune(epochs=1)
    assert is_stored(planned, store=store)
    assert not is_stored(started.plan(epochs=2), store=store)
