"""The labels of images as numbers: what heads learn."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stores.targets import Target, labels_text, names_of, number_text

# Classes as indices (n,), labels as 0 or 1 (n, labels), numbers as float64 (n,).
Targets = NDArray[Any]


def target_values(
    labels: pa.ChunkedArray, classes: Sequence[str], target: Target, separator: str = ""
) -> Targets:
    """Return the labels of rows as numbers: see `Targets`; a row without a label has the class -1.

    Raises ValueError for a text that is no label of this target.
    """
    if target == "classes":
        places = pc.index_in(labels, pa.array(classes, pa.string()))
        return np.asarray(places.fill_null(-1).to_numpy(), np.int64)
    texts = labels.combine_chunks().dictionary_encode()
    if target == "number":
        of_text = np.array([float(text) for text in texts.dictionary.to_pylist()], np.float64)
    else:
        place = {name: n for n, name in enumerate(classes)}
        of_text = np.zeros((len(texts.dictionary), len(classes)), np.int64)
        for row, text in zip(of_text, texts.dictionary.to_pylist(), strict=True):
            row[[place[name] for name in names_of(text, separator)]] = 1
    return np.asarray(of_text[texts.indices.to_numpy()])


def text_of(truth: Any, classes: Sequence[str], target: Target, separator: str = "") -> str:  # noqa: ANN401  one of Targets
    """Return the text of one image's label, of which `target_values` made a number or numbers."""
    if target == "number":
        return number_text(truth)
    if target == "labels":
        names = (name for name, is_one in zip(classes, truth, strict=True) if is_one)
        return labels_text(names, separator)
    return str(classes[truth])
