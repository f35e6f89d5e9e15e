"""What a data set's labels are, its target: a class, several labels, or a number."""

import math
from collections.abc import Collection, Iterable
from typing import Literal, NamedTuple

# classes: each image is of one class. labels: each has any number of labels, or none.
# number: each has a number, and the only name among the data set's classes is that of the number.
Target = Literal["classes", "labels", "number"]

MOST_LABELS = 10_000  # of a data set: each image takes a number for each


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
    return repr(float(value) + 0.0)  # of the two zeros only one


def check_label(text: str, classes: Collection[str], target: Target, separator: str) -> None:
    """Raise ValueError for a text that no accepted image can have as its label."""
    if target == "number":
        if number_text(float(text)) != text:
            raise ValueError(f"label {text!r} is not a number as it is written here")
        return
    names = names_of(text, separator) if target == "labels" else [text]
    if strange := [name for name in names if name not in classes]:
        raise ValueError(f"label {min(strange)!r}")
    if target == "labels" and labels_text(names, separator) != text:
        raise ValueError(f"labels {text!r} are not sorted, or one is there twice")
