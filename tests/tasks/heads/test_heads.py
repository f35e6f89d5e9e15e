from typing import get_args

import keras
import numpy as np
import pytest
import skops.io

from stores.errors import CorruptStore
from tasks.datasets.folds import Fold
from tasks.heads import KINDS, Candidate, Failed, find_kind
from tasks.heads.examples import Examples, MemoryStream
from tasks.heads.presets import make_head, make_heads
from tasks.heads.setting_types import Activation


def blobs(classes, count=120, width=6, seed=0):
    """Return features and labels of classes that are far apart."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    centres = 4 * np.eye(classes, width)
    return (centres[labels] + rng.normal(size=(count, width))).astype("f4"), labels


def count_weights(trained):
    return sum(array.size for array in trained.weights.values())


def train(name, classes, data=None, seed=0, learned=slice(None), **settings):
    """Train on the learned examples, and validate on all; a dense head quickly."""
    settings = ({"learning_rate": 0.05} if name == "dense" else {}) | settings
    features, labels = data or blobs(classes)
    shape = features.shape[1:]
    (head,) = make_heads([name], settings, classes=classes, feature_shape=shape).values()
    chosen = np.zeros(len(labels), bool)
    chosen[learned] = True
    fold = Fold(chosen, np.ones(len(labels), bool))
    examples = Examples(MemoryStream(features), labels, classes, [fold])
    (trained,) = find_kind(head.kind).train([Candidate(head, seed)], examples)
    return trained


def some_truths(target):
    """Return features, and labels (120, 5) or numbers (120,) that follow from them."""
    features = np.random.default_rng(0).normal(size=(120, 6)).astype("f4")
    if target == "number":
        return features, 1000 + 50 * features[:, 0].astype("f8")
    constant = np.broadcast_to([0, 1], (120, 2))
    return features, np.hstack([features[:, :3] > 0.4, constant]).astype(int)


def train_other(kind, features, truths, target, **settings):
    settings = ({"learning_rate": 0.05} if kind == "dense" else {}) | settings
    settings = ({"penalty": 1.0} if kind == "ridge" else {}) | settings
    outputs = truths.shape[1] if truths.ndim == 2 else 1
    head = make_head(kind, settings, classes=outputs, target=target)
    everything = np.ones(len(truths), bool)
    fold = Fold(everything, ~everything)
    examples = Examples(MemoryStream(features), truths, outputs, [fold], target)
    (trained,) = find_kind(kind).train([Candidate(head, 0)], examples)
    return trained


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_a_head_learns_classes_that_are_far_apart(kind, classes):
    trained = train(kind, classes)
    features, labels = blobs(classes, seed=1)
    scores = trained.scores(features)
    assert scores.shape == (120, classes)
    assert (scores.argmax(axis=1) == labels).mean() > 0.95


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kind", [k for k in KINDS if find_kind(k).scores == "probability"])
def test_scores_that_are_probabilities_add_up_to_one(kind, classes):
    scores = train(kind, classes).scores(blobs(classes)[0])
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)
    assert scores.min() >= 0


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_head_says_the_same_when_read_back(kind, classes, tmp_path):
    trained, features = train(kind, classes), blobs(classes)[0]
    trained.save(tmp_path)
    loaded = find_kind(kind).load(tmp_path, classes)
    np.testing.assert_allclose(loaded.scores(features), trained.scores(features), rtol=1e-6)


@pytest.mark.parametrize("kind", [k for k in KINDS if "labels" in find_kind(k).targets])
def test_a_head_learns_several_labels_of_an_image(kind, tmp_path):
    features, truths = some_truths("labels")
    trained = train_other(kind, features, truths, "labels")
    scores = trained.scores(features)
    natural = 0.5 if find_kind(kind).scores == "probability" else 0.0
    assert ((scores > natural) == truths)[:, :3].mean() > 0.9
    # A label that no train image has, and one that all have.
    assert (scores[:, 3] < natural).all()
    assert (scores[:, 4] > natural).all()
    assert np.isfinite(scores).all()
    trained.save(tmp_path)
    again = find_kind(kind).load(tmp_path, 5, "labels").scores(features)
    np.testing.assert_allclose(again, scores, rtol=1e-6)


@pytest.mark.parametrize("kind", [k for k in KINDS if "number" in find_kind(k).targets])
def test_a_head_learns_a_number(kind, tmp_path):
    features, truths = some_truths("number")
    trained = train_other(kind, features, truths, "number")
    scores = trained.scores(features)
    assert scores.shape == (120, 1)
    assert np.abs(scores[:, 0] - truths).mean() < truths.std() / 3
    trained.save(tmp_path)
    again = find_kind(kind).load(tmp_path, 1, "number").scores(features)
    np.testing.assert_allclose(again, scores, rtol=1e-6)
    constant = train_other(kind, features, np.full(120, 7.5), "number")
    np.testing.assert_allclose(constant.scores(features), 7.5, atol=0.5)


def test_the_preset_for_maps_flattens_them():
    vectors, labels = blobs(2, width=12)
    trained = train("cabral", 2, (vectors.reshape(-1, 2, 2, 3), labels))
    assert count_weights(trained) == 12 * 256 + 256 + 256 + 1
    assert len(trained.history) == 100
    assert trained.history[-1]["accuracy"] > 0.95


def test_the_tutorial_preset_has_one_trained_weight_a_feature_and_a_bias():
    trained = train("tutorial", 2)
    assert [len(trained.history), count_weights(trained)] == [10, 7]
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} == trained.history[0].keys()


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_decides_the_outcome(kind):
    features = blobs(2)[0]
    once, again = (train(kind, 2, seed=3).scores(features) for _ in range(2))
    np.testing.assert_array_equal(once, again)


def test_the_scaler_sees_training_examples_only():
    trained = train("logistic", 2, learned=slice(40))
    np.testing.assert_allclose(trained.pipeline[0].mean_, blobs(2)[0][:40].mean(0), rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_that_no_training_image_has_is_never_said(kind):
    features, labels = blobs(3)
    trained = train(kind, 3, learned=labels != 1)
    said = trained.scores(features).argmax(axis=1)
    assert (said[labels != 1] == labels[labels != 1]).mean() > 0.9
    assert (said != 1).all()


@pytest.mark.parametrize("kind", ["centroid", "knn", "logistic", "svm"])
def test_one_class_alone_is_a_failure_with_its_reason(kind):
    failed = train(kind, 2, learned=blobs(2)[1] == 1)
    assert isinstance(failed, Failed)
    assert "only one class" in failed.reason


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_constant_feature_harms_no_head(kind, standardize):
    features, labels = blobs(2)
    features[:, 5] = 7.25
    trained = train(kind, 2, (features, labels), standardize=standardize)
    assert (trained.scores(features).argmax(axis=1) == labels).mean() > 0.8


def test_more_neighbours_than_images_are_all_images():
    trained = train("knn", 2, learned=slice(4), neighbors=50)
    np.testing.assert_allclose(trained.scores(blobs(2)[0]), 0.5)


def test_no_class_is_impossible_because_none_of_a_few_neighbours_has_it(tmp_path):
    """Otherwise the log loss is that of the number in the place of log 0."""
    trained, features = train("knn", 3, neighbors=5), blobs(3)[0]
    features = features[:10] + 3
    scores = trained.scores(features)
    assert scores.min() == pytest.approx((0 + 1 / 3) / (5 + 1))
    votes = trained.pipeline.predict_proba(features)
    np.testing.assert_allclose(scores, (5 * votes + 1 / 3) / 6)
    np.testing.assert_array_equal(scores.argmax(1), votes.argmax(1))
    trained.save(tmp_path)
    (tmp_path / "votes.json").unlink()  # as it was kept before
    np.testing.assert_array_equal(find_kind("knn").load(tmp_path, 3).scores(features), votes)
    (tmp_path / "votes.json").write_text("-1")
    with pytest.raises(ValueError, match="expected a number of votes, found -1"):
        find_kind("knn").load(tmp_path, 3)


def test_a_head_that_diverges_says_so():
    features, labels = blobs(2)
    failed = train("dense", 2, (features * 1e30, labels), learning_rate=1e5)
    assert "diverged" in failed.reason
    assert "in epoch 1; use a smaller learning rate than 100000" in failed.reason


@pytest.mark.parametrize("name", get_args(Activation))
def test_an_activation_is_keras_own_and_keeps_the_shape(name):
    assert keras.activations.get(name)(np.zeros((2, 3), np.float32)).shape == (2, 3)


def test_a_foreign_type_in_a_head_file_is_refused(tmp_path):
    skops.io.dump(keras.Sequential, tmp_path / "head.skops")
    with pytest.raises(CorruptStore, match="refused"):
        find_kind("svm").load(tmp_path, 2)


@pytest.mark.parametrize("activation", [None, "sigmoid"])
def test_a_dense_head_that_keras_kept_is_read(activation, tmp_path):
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1, activation=activation)])
    model.save(tmp_path / "head.keras")
    features = blobs(2)[0]
    kernel, bias = model.get_weights()
    expected = 1 / (1 + np.exp(-(features @ kernel + bias)))
    scores = find_kind("dense").load(tmp_path, 2).scores(features)
    np.testing.assert_allclose(scores, np.hstack([1 - expected, expected]), atol=1e-5)
