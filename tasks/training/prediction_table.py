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


def predictions(
    images: Images, splits: list[str], scores: NDArray[np.float64], classes: tuple[str, ...]
) -> pa.Table:
    """Return a table of predictions: key, split, label, predicted, scores (one per class)."""
    names = np.array(classes)
    return pa.table(
        {
            "key": as_arrow(images.keys),
            "split": pa.array(splits, pa.string()),
            "label": pa.array(names[images.labels].tolist(), pa.string()),
            "predicted": pa.array(names[scores.argmax(axis=1)].tolist(), pa.string()),
            "scores": pa.array(scores.tolist(), pa.list_(pa.float64())),
        }
    )
