import keras
import numpy as np
import pytest

from tasks.backbones.registry import BACKBONES
from tasks.datasets.folds import Fold
from tasks.export.keras_model import preprocessed
from tasks.heads import KINDS, Candidate, find_kind
from tasks.heads.examples import Examples, MemoryStream
from tasks.heads.presets import make_head

HEADS = [
    ("dense", {}),
    ("dense", {"standardize": True}),
    ("dense", {"hidden_units": (8, 4), "activation": "gelu"}),
    ("dense", {"hidden_units": (8,), "batch_norm": True, "standardize": True}),
    ("logistic", {}),
    ("logistic", {"standardize": False}),
    ("svm", {}),
    ("ridge", {}),
    ("centroid", {}),
    ("knn", {}),
    ("knn", {"metric": "euclidean", "neighbors": 3, "standardize": True}),
]


def test_each_kind_of_heads_is_tried():
    assert {kind for kind, _ in HEADS} == set(KINDS)


@pytest.mark.parametrize("name", BACKBONES)
def test_the_preprocessing_of_every_backbone_is_a_layer(name):
    backbone = BACKBONES[name]
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 5, 4, 3)).astype("f4")
    images = keras.Input((None, None, 3))
    model = keras.Model(images, preprocessed(images, backbone))
    expected = np.asarray(backbone.preprocess(pixels.copy()))
    np.testing.assert_allclose(model(pixels), expected, atol=1e-3, rtol=1e-5)


# Heads of several labels and of a number, by the target.
OTHER_HEADS = [
    ("labels", "dense", {"hidden_units": (8,), "batch_norm": True, "standardize": True}),
    ("labels", "logistic", {}),
    ("labels", "svm", {}),
    ("labels", "ridge", {}),
    ("labels", "knn", {}),
    ("number", "dense", {"hidden_units": (8,)}),
    ("number", "ridge", {"standardize": False}),
    ("number", "knn", {"metric": "euclidean", "neighbors": 3, "standardize": True}),
]


def test_each_kind_of_heads_is_tried_with_each_target():
    tried = {(target, kind) for target, kind, _ in OTHER_HEADS}
    assert tried == {(t, k) for k in KINDS for t in find_kind(k).targets if t != "classes"}


def trained_head(kind, settings, classes, target="classes"):
    """Return a head that was trained on random features, and others (50, 12)."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % classes
    features = (rng.normal(size=(60, 12)) + 2 * np.eye(12)[labels] + 1).astype("f4")
    truths = {
        "classes": labels,
        "labels": (features[:, :classes] > 2).astype(int),
        "number": 40.0 + 9 * features[:, 0],
    }[target]
    everything = np.ones(60, bool)
    fold = Fold(everything, ~everything)
    examples = Examples(MemoryStream(features), truths, classes, [fold], target)
    head = make_head(kind, settings, classes=classes, target=target)
    (trained,) = find_kind(kind).train([Candidate(head, 0)], examples)
    return trained, rng.normal(size=(50, 12)).astype("f4")


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(("kind", "settings"), HEADS, ids=str)
def test_a_head_as_layers_says_what_it_says_itself(kind, settings, classes):
    trained, new = trained_head(kind, settings, classes)
    inputs = keras.Input((12,))
    model = keras.Model(inputs, trained.keras_scores(inputs))
    np.testing.assert_allclose(model(new), trained.scores(new), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize(("target", "kind", "settings"), OTHER_HEADS, ids=str)
def test_a_head_of_another_target_as_layers_says_what_it_says_itself(target, kind, settings):
    trained, new = trained_head(kind, settings, 1 if target == "number" else 3, target)
    inputs = keras.Input((12,))
    model = keras.Model(inputs, trained.keras_scores(inputs))
    np.testing.assert_allclose(model(new), trained.scores(new), atol=2e-5, rtol=1e-4)


def test_a_class_without_an_example_is_never_said():
    rng = np.random.default_rng(0)
    labels = np.array([0, 2] * 20)
    features = rng.normal(size=(40, 5)).astype("f4")
    everything = np.ones(40, bool)
    for kind in ("logistic", "svm", "centroid"):
        examples = Examples(MemoryStream(features), labels, 3, [Fold(everything, ~everything)])
        (trained,) = find_kind(kind).train([Candidate(make_head(kind, {}, classes=3), 0)], examples)
        inputs = keras.Input((5,))
        said = np.asarray(keras.Model(inputs, trained.keras_scores(inputs))(features))
        np.testing.assert_allclose(said, trained.scores(features), atol=2e-5)
