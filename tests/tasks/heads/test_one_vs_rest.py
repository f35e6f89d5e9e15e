import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from tests.tasks.heads.test_heads import some_truths, train_other


@pytest.mark.parametrize("balanced", ["none", "balanced"])
@pytest.mark.parametrize("kind", ["logistic", "svm"])
def test_it_is_scikit_learns_classifier_of_each_label(kind, balanced):
    features, truths = some_truths("labels")
    weights = None if balanced == "none" else balanced
    plain = (
        LogisticRegression(C=0.1, max_iter=5000, class_weight=weights)
        if kind == "logistic"
        else LinearSVC(C=0.01, max_iter=5000, class_weight=weights, random_state=0)
    )
    theirs = make_pipeline(StandardScaler(), OneVsRestClassifier(plain)).fit(
        features, truths[:, :3]
    )
    predict = theirs.predict_proba if kind == "logistic" else theirs.decision_function
    trained = train_other(kind, features, truths, "labels", class_weights=balanced)
    scores = trained.scores(features)
    np.testing.assert_allclose(scores[:, :3], predict(features), atol=1e-5)
    # Labels on none and on all of the 120 train images.
    expected = [0.5 / 121, 120.5 / 121] if kind == "logistic" else [-1, 1]
    np.testing.assert_allclose(scores[:, 3:], np.broadcast_to(expected, (120, 2)), rtol=1e-5)


def test_labels_that_tell_no_images_apart_are_a_failure_with_its_reason():
    features, truths = some_truths("labels")
    failed = train_other("logistic", features, truths[:, 3:], "labels")
    assert failed.reason.startswith("each label is on all of the train examples or on none")
