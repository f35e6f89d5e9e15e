"""The labels of images as numbers: what heads learn."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stores.targets import Target, names_of

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


def kinds_of(targets: Targets) -> NDArray[np.int64]:
    """Return a number for each image by which like ones can be told from others, (n,).

    That is its class, the set of its labels, or in which tenth of all numbers its own is.
    """
    if targets.ndim == 2:
        return np.asarray(np.unique(targets, axis=0, return_inverse=True)[1].ravel(), np.int64)
    if targets.dtype == np.int64:
        return targets
    ends = np.quantile(targets, np.arange(1, 10) / 10) if len(targets) else np.empty(0)
    return np.searchsorted(ends, targets).astype(np.int64)


def label_in_words(value: NDArray[Any], classes: Sequence[str], target: Target) -> str:
    """Return one image's label, an item of `Targets`, for people; of no label, 'no label'."""
    if target == "number":
        return f"{float(value):g}"
    if target == "labels":
        return ", ".join(classes[int(n)] for n in np.flatnonzero(value)) or "no label"
    return classes[int(value)]
