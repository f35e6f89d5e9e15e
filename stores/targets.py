"""What a data set's labels are, its target: a class, several labels, or a number."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

# classes: each image is of one class. labels: each has any number of labels, or none.
# number: each has a number, and the only name among the data set's classes is that of the number.
Target = Literal["classes", "labels", "number"]
# Classes as indices (n,), labels as 0 or 1 (n, labels), numbers as float64 (n,).
Targets = NDArray[Any]


class Figure(NamedTuple):
    """A metric by which runs are compared."""

    name: str  # in a run's metrics, after the split
    words: str
    best: Literal["highest", "lowest"]

    def order(self, value: float) -> float:
        """Return a number that is larger for a better value."""
        return value if self.best == "highest" else -value


MAIN_FIGURE: dict[Target, Figure] = {
    "classes": Figure("accuracy", "accuracy", "highest"),
    "labels": Figure("mean_average_precision", "mean average precision", "highest"),
    "number": Figure("mean_absolute_error", "mean absolute error", "lowest"),
}


def labels_text(names: Iterable[str], separator: str) -> str:
    """Return several labels as one text: each once, sorted, with the separator between them."""
    return separator.join(sorted(set(names)))


def names_of(text: str, separator: str) -> list[str]:
    """Return the labels in a text that `labels_text` made; of an empty text, none."""
    return text.split(separator) if text else []


def number_text(value: float) -> str:
    """Return a number as the text that a manifest has of it.

    Raises ValueError for one that is not finite.
    """
    if not math.isfinite(value):
        raise ValueError(f"not a finite number: {value}")
    return repr(float(value))


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


def check_label(text: str, classes: Sequence[str], target: Target, separator: str) -> None:
    """Raise ValueError for a text that no accepted image can have as its label."""
    if target == "number":
        if number_text(float(text)) != text:
            raise ValueError(f"label {text!r} is not a number as it is written here")
        return
    names = names_of(text, separator) if target == "labels" else [text]
    if strange := set(names) - set(classes):
        raise ValueError(f"label {min(strange)!r}")
    if target == "labels" and labels_text(names, separator) != text:
        raise ValueError(f"labels {text!r} are not sorted, or one is there twice")
