from typing import get_args

import keras
import numpy as np
import pytest
import skops.io

from stores.errors import CorruptStore
from tasks.errors import InputError
from tasks.heads import Examples, trainer_of
from tasks.heads.choices import Activation, HeadSettings, make_heads

KINDS = ("dense", "logistic", "svm")


def blobs(classes, count=120, width=6, seed=0):
    """Return examples of classes that are far apart."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    centres = 4 * np.eye(classes, width)
    return Examples((centres[labels] + rng.normal(size=(count, width))).astype("f4"), labels)


def count_weights(trained):
    return sum(array.size for array in trained.weights.values())


def train(name, classes, examples=None, seed=0, **settings):
    examples = examples or blobs(classes)
    shape = examples.features.shape[1:]
    head = make_heads([name], HeadSettings(**settings), classes=classes, feature_shape=shape)[name]
    return trainer_of(head.kind).train(head, examples, examples, classes=classes, seed=seed)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_a_head_learns_classes_that_are_far_apart(kind, classes):
    trained = train(kind, classes, **({"learning_rate": 0.05} if kind == "dense" else {}))
    held_out = blobs(classes, seed=1)
    scores = trained.scores(held_out.features)
    assert scores.shape == (120, classes)
    assert (scores.argmax(axis=1) == held_out.labels).mean() > 0.95


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kind", ["dense", "logistic"])
def test_scores_that_are_probabilities_add_up_to_one(kind, classes):
    scores = train(kind, classes).scores(blobs(classes).features)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)
    assert scores.min() >= 0


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_head_says_the_same_when_read_back(kind, classes, tmp_path):
    trained, features = train(kind, classes), blobs(classes).features
    trained.save(tmp_path)
    loaded = trainer_of(kind).load(tmp_path)
    np.testing.assert_allclose(loaded.scores(features), trained.scores(features), rtol=1e-6)


def test_the_preset_for_maps_flattens_them():
    vectors = blobs(2, width=12)
    maps = Examples(vectors.features.reshape(-1, 2, 2, 3), vectors.labels)
    trained = train("cabral", 2, maps)
    assert count_weights(trained) == 12 * 256 + 256 + 256 + 1
    assert len(trained.history) == 100
    assert trained.history[-1]["accuracy"] > 0.95


def test_the_tutorial_preset_has_one_trained_weight_a_feature_and_a_bias():
    trained = train("tutorial", 2)
    assert [len(trained.history), count_weights(trained)] == [10, 7]
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} == trained.history[0].keys()


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_decides_the_outcome(kind):
    features = blobs(2).features
    once, again = (train(kind, 2, seed=3).scores(features) for _ in range(2))
    np.testing.assert_array_equal(once, again)


def test_the_scaler_sees_training_examples_only():
    examples, others = blobs(2), blobs(2, seed=5)
    head = make_heads(["logistic"], HeadSettings(), classes=2)["logistic"]
    trained = trainer_of("logistic").train(head, examples, others, classes=2, seed=0)
    np.testing.assert_allclose(trained.pipeline[0].mean_, examples.features.mean(0), rtol=1e-5)


def test_a_head_that_diverges_says_so():
    examples = blobs(2)
    with pytest.raises(InputError, match=r"diverged.*--learning-rate"):
        train("dense", 2, Examples(examples.features * 1e30, examples.labels), learning_rate=1e9)


@pytest.mark.parametrize("name", get_args(Activation))
def test_an_activation_is_keras_own_and_keeps_the_shape(name):
    assert keras.activations.get(name)(np.zeros((2, 3), np.float32)).shape == (2, 3)


def test_a_foreign_type_in_a_head_file_is_refused(tmp_path):
    skops.io.dump(keras.Sequential, tmp_path / "head.skops")
    with pytest.raises(CorruptStore, match="refused"):
        trainer_of("svm").load(tmp_path)


@pytest.mark.parametrize("activation", [None, "sigmoid"])
def test_a_dense_head_that_keras_kept_is_read(activation, tmp_path):
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1, activation=activation)])
    model.save(tmp_path / "head.keras")
    features = blobs(2).features
    kernel, bias = model.get_weights()
    expected = 1 / (1 + np.exp(-(features @ kernel + bias)))
    scores = trainer_of("dense").load(tmp_path).scores(features)
    np.testing.assert_allclose(scores, np.hstack([1 - expected, expected]), atol=1e-5)
