from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.preprocessing import StandardScaler

from tasks.datasets.folds import Fold
from tasks.heads import Candidate
from tasks.heads.examples import Examples, MemoryStream
from tasks.heads.ridge import KIND, RidgeHead
from tests.support.samples import few


def examples(count, width, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    features = rng.normal(1, 3, (count, width)).astype("f4")
    train = np.arange(count) % 4 > 0
    return Examples(MemoryStream(features), labels, classes, [Fold(train, ~train)])


@few
@given(st.sampled_from([(40, 6), (24, 60)]), st.floats(0.01, 1e4), st.booleans(), st.integers(2, 3))
def test_it_is_scikit_learns_ridge_classifier(size, penalty, standardize, classes):
    data = examples(*size, classes=classes)
    (trained,) = KIND.train([Candidate(RidgeHead(penalty, standardize), 0)], data)
    train, features = data.folds[0].train, data.features().astype("f8")
    if standardize:
        features = StandardScaler().fit(features[train]).transform(features)
    theirs = RidgeClassifier(alpha=penalty).fit(features[train], data.labels[train])
    expected = theirs.decision_function(features)
    expected = np.stack([-expected, expected], 1) if classes == 2 else expected
    np.testing.assert_allclose(trained.scores(data.features()), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("size", [(40, 6), (24, 60)])
@pytest.mark.parametrize("target", ["labels", "number"])
def test_labels_and_numbers_are_scikit_learns_ridge(target, size):
    rng, plain = np.random.default_rng(1), examples(*size)
    truth = rng.integers(0, 2, (size[0], 4)) if target == "labels" else rng.normal(40, 9, size[0])
    data = replace(plain, labels=truth, classes=4 if target == "labels" else 1, target=target)
    (trained,) = KIND.train([Candidate(RidgeHead(7.0), 0)], data)
    train, features = data.folds[0].train, data.features().astype("f8")
    features = StandardScaler().fit(features[train]).transform(features)
    targets = 2 * truth - 1 if target == "labels" else truth[:, None]
    expected = Ridge(alpha=7.0).fit(features[train], targets[train]).predict(features)
    scores = trained.scores(data.features())
    np.testing.assert_allclose(scores, expected.reshape(scores.shape), rtol=1e-3, atol=1e-3)


def test_each_penalty_of_a_path_comes_out_as_alone():
    data = examples(40, 6)
    asked = [Candidate(RidgeHead(penalty), 0) for penalty in (0.1, 1.0, 1000.0)]
    for candidate, together in zip(asked, KIND.train(asked, data), strict=True):
        (alone,) = KIND.train([candidate], data)
        np.testing.assert_array_equal(alone.kernel, together.kernel)


@pytest.mark.parametrize("width", [6, 60])
def test_without_a_penalty_it_is_least_squares(width):
    data = examples(40, width)
    (trained,) = KIND.train([Candidate(RidgeHead(0.0, standardize=False), 0)], data)
    train = data.folds[0].train
    targets = 2.0 * np.eye(3)[data.labels[train]] - 1
    features = data.features(train).astype("f8")
    centre = features.mean(0)
    kernel = np.linalg.lstsq(features - centre, targets - targets.mean(0), rcond=None)[0]
    np.testing.assert_allclose(trained.kernel, kernel, rtol=1e-3, atol=1e-4)
