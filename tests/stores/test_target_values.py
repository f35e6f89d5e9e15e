import numpy as np
import pyarrow as pa
import pytest

from stores.target_values import target_values, text_of

CLASSES = ("cat", "dog", "eel")


@pytest.mark.parametrize(
    ("target", "separator", "texts", "values"),
    [
        ("classes", "", ["dog", "cat", "dog"], np.array([1, 0, 1])),
        ("labels", "|", ["cat|eel", "", "dog"], np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]])),
        ("number", "", ["1.5", "-2e-09", "12.0"], np.array([1.5, -2e-9, 12.0])),
    ],
)
def test_labels_are_numbers_and_their_texts_again(target, separator, texts, values):
    found = target_values(pa.chunked_array([texts]), CLASSES, target, separator)
    np.testing.assert_array_equal(found, values)
    assert found.dtype == values.dtype
    assert [text_of(truth, CLASSES, target, separator) for truth in found] == texts
