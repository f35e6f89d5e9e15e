"""The one door by which the model of a stored run is loaded, and checked against its record.

A model's digest says that its files are those that were written, not that they are a model.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from stores.errors import CorruptStore, StoreError
from stores.runs.record import Run
from tasks.errors import InputError
from tasks.heads import TrainedHead, find_kind
from tasks.heads.archives import check_keras, check_stored

_TRIED_ROWS = 2


def load_stored(model_folder: Callable[[str], Path], run: Run) -> TrainedHead:
    """Return a run's trained head, of its record's kind and classes, found to work.

    `model_folder` returns the folder of a run's model, its digests checked. Raises InputError where
    the training failed or the kind is not known, CorruptStore where the files hold anything but
    such a head, and the system's OSError.
    """
    if run.failure:
        raise InputError(f"run {run.id[:16]} has no model: {run.failure}")
    kind = find_kind(str(run.head["kind"]))
    folder = model_folder(run.id)
    try:
        for path in folder.glob("head.*"):
            check_keras(path) if path.suffix == ".keras" else check_stored(path)
        head = kind.load(folder, len(run.classes))
        _try(head, len(run.classes))
    except (StoreError, InputError) as error:
        raise CorruptStore(_damaged(folder, error)) from error
    except Exception as error:
        # The parsers of three libraries see what somebody else may have written.
        if isinstance(error, OSError) and error.errno:
            raise
        raise CorruptStore(_damaged(folder, error)) from error
    return head


def _try(head: TrainedHead, classes: int) -> None:
    """Raise ValueError where a head does not give a number for each class."""
    with np.errstate(all="ignore"):
        scores = head.scores(np.zeros((_TRIED_ROWS, head.inputs), np.float32))
    if scores.shape != (_TRIED_ROWS, classes) or np.isnan(scores).any():
        raise ValueError(
            f"expected scores of {classes} classes, found {scores.shape[1:]}, or what is no number"
        )


def _damaged(folder: Path, error: Exception) -> str:
    reason = " ".join(str(error).split())[:300]
    return (
        f"{folder}: the model is damaged, though its digests are right: {type(error).__name__}: "
        f"{reason}; move {folder.parent} away and train again"
    )
