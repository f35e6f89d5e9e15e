import numpy as np
import pyarrow as pa
import pytest

from stores.keys import KEY_BYTES
from stores.manifest import Images
from tasks.evaluation.target_result import target_result
from tasks.training.prediction_table import predictions


@pytest.mark.parametrize("folds", [0, 3])
@pytest.mark.parametrize("labels", [np.eye(4, 3, dtype=np.int64), np.arange(4) / 3])
def test_a_split_s_predictions_are_beside_their_truth_in_the_order_of_the_keys(labels, folds):
    keys = np.repeat(np.array([[3], [2], [1], [0]], np.uint8), KEY_BYTES, axis=1)
    splits = pa.array(["train", "validation", "validation", "test"])
    images = Images(keys, labels, pa.array("abcd"), splits, np.arange(4))
    scores = np.arange(12.0).reshape(4, 3)[:, : 3 if labels.ndim == 2 else 1]
    names = ("a", "b", "c")[: scores.shape[1]]
    table = predictions(images, scores, names)
    found = target_result(table, split="validation", classes=names, folds=folds)
    places = [2, 1, 0] if folds else [2, 1]
    assert np.array_equal(found.truth, labels.reshape(4, -1)[places])
    assert np.array_equal(found.scores, scores[places])
    assert np.array_equal(found.keys, keys[places])
    assert found.groups.tolist() == places
    nothing = target_result(table.filter([False] * 4), split="test", classes=names)
    assert nothing.truth.shape == (0, len(names))
