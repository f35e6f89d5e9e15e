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

    Of a data set with groups there is also group, a number.
    """
    names, flat = pa.array(classes, pa.string()), pa.array(scores.ravel())
    ends = pa.array(np.arange(len(scores) + 1) * scores.shape[1], pa.int32())
    columns = {
        "key": as_arrow(images.keys),
        "split": images.splits,
        "label": names.take(images.labels),
        "predicted": names.take(scores.argmax(axis=1)),
        "scores": pa.ListArray.from_arrays(ends, flat),
    }
    grouped = {} if images.groups is None else {"group": pa.array(images.groups)}
    return pa.table(columns | grouped)
