import inspect
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import gargalo
from tasks.datasets.folds import Fold
from tasks.errors import InputError
from tasks.heads import KINDS, REGRESSIONS, Candidate, class_names, find_kind
from tasks.heads.examples import Examples, MemoryStream
from tasks.heads.presets import make_head, settings_of
from tasks.heads.sklearn_estimator import ESTIMATORS, HeadClassifier, HeadRegressor
from tests.tasks.heads.test_heads import blobs, some_truths, train

NAMES = np.array(["cat", "dog", "eel"])
# The dense heads learn the checks' few examples in few epochs by a larger step.
QUICK = {
    "DenseClassifier": {"learning_rate": 0.05},
    "DenseRegressor": {"learning_rate": 0.05, "epochs": 20, "hidden_units": (8,)},
    "RidgeRegressor": {"penalty": 1.0},
}


def estimator_of(name):
    return ESTIMATORS[name](**QUICK.get(name, {}))


@parametrize_with_checks([estimator_of(name) for name in ESTIMATORS])
def test_each_is_an_estimator_of_scikit_learns(estimator, check):
    check(estimator)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_kind_has_a_public_class_with_its_settings_as_parameters(name):
    made, (kind, target) = getattr(gargalo, name), class_names()[name]
    assert issubclass(made, HeadClassifier if target == "classes" else HeadRegressor)
    own = {"validation_fraction", "seed"} if kind == "dense" else set()
    assert set(made().get_params()) == set(settings_of(kind, target)) | own
    assert set(inspect.signature(made).parameters) == set(made().get_params())


def test_each_kind_that_learns_a_number_has_a_regressor():
    assert list(REGRESSIONS) == [k for k in KINDS if "number" in find_kind(k).targets]


@pytest.mark.parametrize("kind", REGRESSIONS)
def test_a_regressor_is_the_head_that_a_flow_trains(kind):
    features, numbers = some_truths("number")
    settings = {"epochs": 3, "patience": None} if kind == "dense" else {}
    (name,) = [name for name, about in class_names().items() if about == (kind, "number")]
    estimator = getattr(gargalo, name)(**settings).fit(features, numbers)
    head = make_head(kind, settings, classes=1, target="number")
    assert estimator.get_params()["standardize"] == head.standardize
    everything = np.ones(120, bool)
    fold = Fold(everything, ~everything)
    examples = Examples(MemoryStream(features), numbers, 1, [fold], "number")
    (same,) = find_kind(kind).train([Candidate(head, 0)], examples)
    np.testing.assert_array_equal(estimator.predict(features), same.scores(features)[:, 0])


@pytest.mark.parametrize("name", [name for name in ESTIMATORS if name.endswith("Classifier")])
def test_every_kind_learns_names_as_labels(name):
    features, labels = blobs(3)
    estimator = estimator_of(name).fit(features, NAMES[labels])
    assert (estimator.predict(features) == NAMES[labels]).mean() > 0.9


@pytest.mark.parametrize("classes", [2, 3])
def test_it_is_the_head_that_a_flow_trains(classes):
    features, labels = blobs(classes)
    estimator = gargalo.DenseClassifier(learning_rate=0.05, seed=3).fit(features, labels)
    same = train("dense", classes, (features, labels), seed=3, learning_rate=0.05)
    np.testing.assert_array_equal(estimator.head_.scores(features), same.scores(features))


def test_a_search_varies_the_settings_of_a_head_in_a_pipeline():
    features, labels = blobs(2)
    pipeline = make_pipeline(StandardScaler(), gargalo.DenseClassifier(epochs=5))
    rates = {"denseclassifier__learning_rate": [1e-6, 0.05]}
    search = GridSearchCV(pipeline, rates, cv=3).fit(features, labels)
    assert search.best_params_ == {"denseclassifier__learning_rate": 0.05}
    assert search.best_estimator_[-1].epochs == 5


def test_a_clone_has_the_same_settings_and_leaves_the_first_alone():
    estimator = gargalo.DenseClassifier(dropout=0.5, seed=3)
    assert clone(estimator).get_params() == estimator.get_params()
    assert clone(estimator).set_params(dropout=0.1).dropout == 0.1
    assert estimator.dropout == 0.5


def test_a_pickle_names_the_public_class_alone():
    features, labels = blobs(2)
    content = pickle.dumps(gargalo.RidgeClassifier(penalty=3))
    assert b"gargalo" in content
    assert b"sklearn_estimator" not in content
    assert pickle.loads(content).fit(features, labels).penalty == 3


def test_patience_holds_some_examples_out():
    features, labels = blobs(2)
    estimator = gargalo.DenseClassifier(learning_rate=0.3, epochs=200, patience=2)
    assert len(estimator.fit(features, labels).head_.history) < 200
    assert cross_val_score(estimator, features, labels, cv=3).mean() > 0.9


def test_a_setting_that_there_is_not_is_named():
    message = "unknown setting 'neighbours': did you mean nei"
    with pytest.raises(InputError, match=message):
        gargalo.KNNClassifier(neighbours=3)
    with pytest.raises(InputError, match=message):
        gargalo.KNNClassifier().set_params(neighbours=3)


def test_a_value_that_a_setting_cannot_have_is_told_by_fit():
    with pytest.raises(InputError, match=r"head dense: dropout: .* less than 1\. Received: 2"):
        gargalo.DenseClassifier(dropout=2).fit(*blobs(2))


def test_only_probabilities_are_called_so():
    assert hasattr(gargalo.DenseClassifier(), "predict_proba")
    assert not hasattr(gargalo.SVMClassifier(), "predict_proba")
    assert hasattr(gargalo.SVMClassifier(), "decision_function")
