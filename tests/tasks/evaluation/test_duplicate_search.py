import numpy as np
import pytest

from tasks.evaluation.duplicate_search import kinds_of


@pytest.mark.parametrize(
    ("truths", "kinds"),
    [
        (np.array([-1, -1]), [0, 0]),
        (np.array([2, 0]), [2, 0]),
        (np.array([3.5, 9.0]), [0, 0]),
        # By how often a label is there: the second, the first, the third.
        (
            np.array([[1, 1, 0], [0, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 1], [0, 1, 1], [1, 1, 0]]),
            [2, 2, 1, 0, 3, 2, 2],
        ),
    ],
)
def test_images_that_may_look_alike_are_of_one_kind(truths, kinds):
    found = kinds_of(truths)
    same = np.equal.outer(found, found)
    np.testing.assert_array_equal(same, np.equal.outer(kinds, kinds))
