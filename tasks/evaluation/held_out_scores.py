"""Scores of a run's predictions for several labels or a number, beside the truth."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stores.keys import KEY_BYTES, Keys, from_arrow
from stores.manifest import Split
from tasks.evaluation.group_effect import Groups, group_effect
from tasks.evaluation.split_result import groups_of


@dataclass(frozen=True)
class Scored:
    """A run's scores of one split, in the order of the images' keys; see `Run.target`."""

    split: Split
    keys: Keys  # (n, 32)
    truth: NDArray[np.float64]  # (n, outputs): 0 or 1 for each label, or one number
    scores: NDArray[np.float64]  # (n, outputs)
    groups: Groups | None = None  # (n,)


def independent_answers(images: Scored) -> float:
    """Return on how many independent images a mean over labels rests, of the images that have them.

    Such a mean varies as one over k²/Σ(1/n) images, with n images of each of its k labels. Of
    groups, each counts as much as it is worth where all its images are alike.
    """
    counts = images.truth.sum(axis=0)
    counts = counts[counts > 0]
    if not len(counts):
        return 0.0
    alike = group_effect(np.ones(len(images.truth)), images.groups)
    return float(len(counts) ** 2 / (1 / counts).sum()) / alike


def scored(predictions: pa.Table, *, split: Split, outputs: int, folds: int = 0) -> Scored:
    """Return the scores of one split among a run's predictions (see RunStore.predictions).

    Of a run with folds, all images that these held out stand for validation.
    """
    splits = ["train", "validation"] if folds and split == "validation" else [split]
    rows = predictions.filter(pc.is_in(predictions["split"], pa.array(splits))).sort_by("key")
    return Scored(
        split=split,
        keys=from_arrow(rows["key"].cast(pa.binary(KEY_BYTES))),
        truth=_matrix(rows["truth"], outputs),
        scores=_matrix(rows["scores"], outputs),
        groups=groups_of(rows),
    )


def _matrix(rows: pa.ChunkedArray, width: int) -> NDArray[np.float64]:
    values = rows.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return np.asarray(values, np.float64).reshape(len(rows), width)
