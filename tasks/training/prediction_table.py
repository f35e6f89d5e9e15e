"""Predictions of heads: scores of a stream, and the table that is stored with a run."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stores.keys import as_arrow
from stores.manifest import Images
from tasks.datasets.folds import Chosen
from tasks.heads import TrainedHead
from tasks.heads.examples import Stream


def scores_of(
    head: TrainedHead, stream: Stream, chosen: Chosen | None = None
) -> NDArray[np.float64]:
    """Return a head's scores of all or the chosen examples of a stream, (n, classes)."""
    return np.concatenate([head.scores(rows) for _, rows in stream.ordered(chosen)])


def predictions(images: Images, scores: NDArray[np.float64], classes: tuple[str, ...]) -> pa.Table:
    """Return a table of predictions: key, split, label, predicted, scores (one per class).

    For several labels or a number, whose labels are not (n,) class indices, there is truth (as many
    numbers as scores) instead of label and predicted. Of a data set with groups there is also
    group, a number.
    """
    columns: dict[str, pa.Array] = {"key": as_arrow(images.keys), "split": images.splits}
    if images.labels.dtype == np.int64 and images.labels.ndim == 1:
        names = pa.array(classes, pa.string())
        columns["label"] = names.take(images.labels)
        columns["predicted"] = names.take(scores.argmax(axis=1))
    else:
        columns["truth"] = _lists(images.labels.reshape(scores.shape).astype(np.float64))
    columns["scores"] = _lists(scores)
    grouped = {} if images.groups is None else {"group": pa.array(images.groups)}
    return pa.table(columns | grouped)


def _lists(rows: NDArray[np.float64]) -> pa.ListArray:
    ends = pa.array(np.arange(len(rows) + 1) * rows.shape[1], pa.int32())
    return pa.ListArray.from_arrays(ends, pa.array(rows.ravel()))
