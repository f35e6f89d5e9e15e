"""A run's predictions of several labels, or of a number, on one split, beside the truth."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stores.keys import KEY_BYTES, Keys, from_arrow
from stores.manifest import Split
from tasks.evaluation.group_effect import Groups
from tasks.evaluation.split_result import groups_of


@dataclass(frozen=True)
class TargetResult:
    """The predictions on one split, in the order of the images' keys.

    Of several labels, `truth` is 0 or 1 (n, labels) and `scores` have one number for each; of a
    number, both are (n, 1), and the score is the predicted number.
    """

    split: Split
    classes: tuple[str, ...]
    keys: Keys  # (n, 32)
    truth: NDArray[np.float64]
    scores: NDArray[np.float64]
    groups: Groups | None = None  # (n,)


def target_result(
    predictions: pa.Table, *, split: Split, classes: tuple[str, ...], folds: int = 0
) -> TargetResult:
    """Return a run's predictions (see RunStore.predictions) on one split.

    Of a run with folds, all images that these held out stand for validation.
    """
    splits = ["train", "validation"] if folds and split == "validation" else [split]
    rows = predictions.filter(pc.is_in(predictions["split"], pa.array(splits))).sort_by("key")
    keys = from_arrow(rows["key"].cast(pa.binary(KEY_BYTES)))
    truth, scores = (
        np.asarray(pc.list_flatten(rows[name]), np.float64).reshape(len(rows), len(classes))
        for name in ("truth", "scores")
    )
    return TargetResult(split, classes, keys, truth, scores, groups_of(rows))
