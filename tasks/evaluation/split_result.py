"""A run's predictions on one split, beside the true classes: counts, shares, mistakes."""

import math
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stores.keys import KEY_BYTES, Keys, from_arrow
from stores.manifest import Manifest, Split
from stores.target_values import text_of
from tasks.evaluation.group_effect import Groups, group_effect


@dataclass(frozen=True)
class ClassResult:
    """How the images of one class were predicted."""

    name: str
    cells: tuple[int, ...]  # images by predicted class: a row of the confusion matrix
    images: int
    recall: float | None  # None without an image
    precision: float | None  # None where no image was predicted to be of this class

    @property
    def f1(self) -> float | None:
        """The harmonic mean of recall and precision; None without either."""
        found, predicted = self.recall, self.precision
        if found is None or predicted is None:
            return None
        return 2 * found * predicted / (found + predicted) if found + predicted else 0.0


@dataclass(frozen=True)
class SplitResult:
    """A run's predictions on one split, in the order of the images' keys."""

    split: Split
    classes: tuple[str, ...]
    keys: Keys  # (n, 32)
    true: NDArray[np.int64]  # (n,) indices of the classes
    predicted: NDArray[np.int64]
    scores: NDArray[np.float64]  # (n, classes)
    groups: Groups | None = None  # (n,)

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """Counts of images by (true class, predicted class)."""
        size = len(self.classes)
        cells = np.bincount(self.true * size + self.predicted, minlength=size * size)
        return cells.reshape(size, size).astype(np.int64)

    @property
    def correct(self) -> int:
        """The number of right predictions."""
        return int(self.confusion.trace())

    @property
    def accuracy(self) -> float | None:
        """The share of right predictions; None without images."""
        return self.correct / len(self.keys) if len(self.keys) else None

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% interval of the accuracy: Wilson's; groups make it wider."""
        effect = group_effect(self.true == self.predicted, self.groups)
        return wilson(self.correct / effect, len(self.keys) / effect)

    def baseline(self, name: str) -> float | None:
        """Return the accuracy of predicting one class for all images; None without images."""
        return (
            float(np.mean([self.classes[n] == name for n in self.true])) if len(self.keys) else None
        )

    def mistakes(self) -> NDArray[np.int64]:
        """Return the places of the wrong predictions, the most confident first."""
        wrong = np.flatnonzero(self.true != self.predicted)
        confidence = self.scores[wrong, self.predicted[wrong]]
        return wrong[np.argsort(-confidence, kind="stable")]

    def per_class(self) -> list[ClassResult]:
        """Return the result of each class."""
        matrix = self.confusion
        right, true, predicted = matrix.diagonal(), matrix.sum(1), matrix.sum(0)
        return [
            ClassResult(
                name=name,
                cells=tuple(matrix[n].tolist()),
                images=int(true[n]),
                recall=int(right[n]) / int(true[n]) if true[n] else None,
                precision=int(right[n]) / int(predicted[n]) if predicted[n] else None,
            )
            for n, name in enumerate(self.classes)
        ]

    def confused_pairs(self) -> list[tuple[int, str, str]]:
        """Return (images, true class, predicted class) of each kind of mistake, most first."""
        pairs = [
            (int(self.confusion[row, column]), self.classes[row], self.classes[column])
            for row, column in zip(*np.nonzero(self.confusion), strict=True)
            if row != column
        ]
        return sorted(pairs, key=lambda pair: (-pair[0], pair[1:]))


def evaluate(
    predictions: pa.Table, *, split: Split, classes: tuple[str, ...], folds: int = 0
) -> SplitResult:
    """Return the result of a run's predictions (see RunStore.predictions) on one split.

    Of a run with folds, all images that these held out stand for validation.
    """
    splits = ["train", "validation"] if folds and split == "validation" else [split]
    chosen = pc.is_in(predictions["split"], pa.array(splits))
    rows = predictions.filter(chosen).sort_by("key")
    names = pa.array(classes, pa.string())
    scores = rows["scores"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return SplitResult(
        split=split,
        classes=classes,
        keys=from_arrow(rows["key"].cast(pa.binary(KEY_BYTES))),
        true=pc.index_in(rows["label"], names).to_numpy().astype(np.int64),
        predicted=pc.index_in(rows["predicted"], names).to_numpy().astype(np.int64),
        scores=scores.astype(np.float64).reshape(len(rows), len(classes)),
        groups=groups_of(rows),
    )


def groups_of(predictions: pa.Table) -> Groups | None:
    """Return the groups of predicted images, (n,); None where their data set has none."""
    if "group" not in predictions.column_names or predictions["group"].null_count:
        return None  # null: by an earlier version, of another split
    return np.asarray(predictions["group"], np.int64)


def differences(
    predictions: pa.Table, manifest: Manifest, classes: tuple[str, ...] = ()
) -> tuple[int, int]:
    """Count the images that only the manifest has, and those that only the predictions have.

    An image is the same where its key, label and split are; splits without predictions are not
    compared. Several labels, or a number, are in the column truth, of labels in the order of
    the run's `classes`.
    """
    if "truth" in predictions.column_names:
        truth = predictions["truth"].to_pylist()
        target, separator = manifest.target, manifest.label_separator
        texts = [
            text_of(one if target == "labels" else one[0], classes, target, separator)
            for one in truth
        ]
        predictions = predictions.append_column("label", pa.array(texts, pa.string()))
    names = ["key", "label", "split"]
    predicted = predictions.select(names).group_by(names).aggregate([])
    accepted = manifest.of_status("accepted").select(names)
    listed = accepted.filter(pc.is_in(accepted["split"], predicted["split"].combine_chunks()))
    listed = listed.group_by(names).aggregate([])
    both = len(listed.join(predicted, names, join_type="inner"))
    return len(listed) - both, len(predicted) - both


def wilson(correct: float, images: float, *, confidence: float = 0.95) -> tuple[float, float]:
    """Return the score interval of a share, from 0 to 1.

    E. B. Wilson, Probable inference, the law of succession, and statistical inference, Journal of
    the American Statistical Association 22 (1927), 209-212. Unlike p ± z·√(p(1-p)/n) it stays
    between 0 and 1 and has a width where all, or none, is right.
    """
    # Both may be fractions, as a mean over draws is. SciPy's `binomtest` refuses that;
    # statsmodels' `proportion_confint` takes it, and would bring pandas for these lines.
    if not images:
        return 0.0, 1.0
    z, share = NormalDist().inv_cdf((1 + confidence) / 2), correct / images
    whole = 1 + z**2 / images
    centre = (share + z**2 / (2 * images)) / whole
    half = z * math.sqrt(share * (1 - share) / images + z**2 / (4 * images**2)) / whole
    # The two ends that are exact must not be a rounding error away from it.
    return centre - half if correct else 0.0, centre + half if correct < images else 1.0
