import numpy as np
import pytest
import skops.io
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline

from tasks.heads.knn import KIND
from tests.tasks.heads.test_heads import some_truths, train_other


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_it_is_scikit_learns(metric):
    features, numbers = some_truths("number")
    _, labels = some_truths("labels")
    new = np.random.default_rng(5).normal(size=(40, 6)).astype("f4")
    trained = train_other("knn", features, numbers, "number", metric=metric)
    theirs = KNeighborsRegressor(5, metric=metric).fit(features, numbers)
    np.testing.assert_allclose(trained.scores(new)[:, 0], theirs.predict(new), rtol=1e-6)
    trained = train_other("knn", features, labels[:, :3], "labels", metric=metric)
    theirs = KNeighborsClassifier(5, metric=metric).fit(features, labels[:, :3])
    votes = np.stack([of_label[:, 1] for of_label in theirs.predict_proba(new)], axis=1)
    np.testing.assert_allclose(trained.scores(new), (5 * votes + 0.5) / 6, rtol=1e-6)


@pytest.mark.parametrize(
    ("values", "target", "match"),
    [
        (np.full((20, 2), 7.0), "labels", "labels other than 0 and 1"),
        (np.ones((20, 2), int), "labels", "not numbers"),
        (np.array([np.nan] + 19 * [1.0]), "number", "not numbers"),
    ],
)
def test_values_that_no_neighbor_can_have_are_refused(tmp_path, values, target, match):
    features = np.random.default_rng(0).normal(size=(20, 4))
    estimator = KNeighborsRegressor(3, metric="cosine", algorithm="brute")
    pipeline = make_pipeline(estimator.fit(features, np.nan_to_num(values)))
    pipeline[-1]._y = values
    skops.io.dump(pipeline, tmp_path / "head.skops")
    with pytest.raises(ValueError, match=match):
        KIND.load(tmp_path, 2 if target == "labels" else 1, target)
