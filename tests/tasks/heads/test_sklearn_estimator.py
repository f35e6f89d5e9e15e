import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from tasks.errors import InputError
from tasks.heads import KINDS
from tasks.heads.dense.specification import DenseHead
from tasks.heads.knn import KnnHead
from tasks.heads.presets import make_head
from tasks.heads.ridge import RidgeHead
from tasks.heads.sklearn_estimator import HeadClassifier
from tasks.heads.svm import SvmHead
from tests.tasks.heads.test_heads import blobs

NAMES = np.array(["cat", "dog", "eel"])


@parametrize_with_checks([HeadClassifier(RidgeHead(standardize=False)), HeadClassifier()])
def test_it_is_a_classifier_of_scikit_learns(estimator, check):
    check(estimator)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_learns_names_as_labels(kind):
    features, labels = blobs(3)
    asked = {"learning_rate": 0.05} if kind == "dense" else {}
    estimator = HeadClassifier(make_head(kind, asked, classes=3)).fit(features, NAMES[labels])
    assert (estimator.predict(features) == NAMES[labels]).mean() > 0.9


def test_a_search_varies_the_settings_of_a_head_in_a_pipeline():
    features, labels = blobs(2)
    pipeline = make_pipeline(StandardScaler(), HeadClassifier(DenseHead(epochs=5)))
    rates = {"headclassifier__head__learning_rate": [1e-6, 0.05]}
    search = GridSearchCV(pipeline, rates, cv=3).fit(features, labels)
    assert search.best_params_ == {"headclassifier__head__learning_rate": 0.05}
    assert search.best_estimator_[-1].head.epochs == 5


def test_a_clone_has_the_same_settings_and_leaves_the_first_alone():
    estimator = HeadClassifier(DenseHead(dropout=0.5), seed=3)
    assert clone(estimator).get_params() == estimator.get_params()
    assert clone(estimator).set_params(head__dropout=0.1, seed=4).head == DenseHead(dropout=0.1)
    assert estimator.head == DenseHead(dropout=0.5)


def test_patience_holds_some_examples_out():
    features, labels = blobs(2)
    estimator = HeadClassifier(DenseHead(learning_rate=0.3, epochs=200, patience=2))
    assert len(estimator.fit(features, labels).head_.history) < 200
    assert cross_val_score(estimator, features, labels, cv=3).mean() > 0.9


def test_a_setting_that_there_is_not_is_named():
    with pytest.raises(InputError, match="unknown setting 'neighbours': did you mean nei"):
        HeadClassifier(KnnHead()).set_params(head__neighbours=3)


def test_only_probabilities_are_called_so():
    assert hasattr(HeadClassifier(DenseHead()), "predict_proba")
    assert not hasattr(HeadClassifier(SvmHead()), "predict_proba")
    assert hasattr(HeadClassifier(SvmHead()), "decision_function")
