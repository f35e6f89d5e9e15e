"""Loading of the model of a stored run, with a check against the run's record.

A correct digest shows that the files have not changed, but not that they are a valid model.
"""

from pathlib import Path

import numpy as np

from stores.errors import CorruptStore, StoreError
from stores.runs.record import Run
from stores.runs.store import RunStore
from stores.targets import Target
from tasks.backbones.keras_archive import check_keras
from tasks.errors import InputError
from tasks.heads import TrainedHead, find_kind
from tasks.heads.archives import check_stored

_TRIED_ROWS = 2


def load_head(runs: RunStore, run: Run) -> TrainedHead:
    """Return a run's trained head, checked to have the record's kind, classes and target.

    Raises InputError if the training failed or the kind is unknown, CorruptStore if the files are
    not such a head, and OSError.
    """
    if run.failure:
        raise InputError(f"run {run.id[:16]} has no model: {run.failure}")
    kind = find_kind(str(run.head["kind"]))
    folder = runs.model_folder(run.id)
    if run.target not in kind.targets:
        error = ValueError(f"a head {run.head['kind']} cannot learn the target {run.target}")
        raise CorruptStore(_damaged(folder, error))
    try:
        for path in folder.glob("head.*"):
            check_keras(path) if path.suffix == ".keras" else check_stored(path)
        head = kind.load(folder, len(run.classes), run.target)
        _try(head, len(run.classes), run.target)
    except (StoreError, InputError) as error:
        raise CorruptStore(_damaged(folder, error)) from error
    except Exception as error:
        # The parsers of three libraries read untrusted files, and may raise anything.
        if isinstance(error, OSError) and error.errno:
            raise
        raise CorruptStore(_damaged(folder, error)) from error
    return head


def _try(head: TrainedHead, outputs: int, target: Target) -> None:
    """Raise ValueError if a head does not return a number for each class or label."""
    with np.errstate(all="ignore"):
        scores = head.scores(np.zeros((_TRIED_ROWS, head.inputs), np.float32))
    if scores.shape != (_TRIED_ROWS, outputs) or np.isnan(scores).any():
        raise ValueError(f"expected {outputs} scores, found {scores.shape[1:]}, or NaN")
    # The margin of a class without an example is -inf.
    if target != "classes" and np.isinf(scores).any():
        raise ValueError("the scores are infinite")


def _damaged(folder: Path, error: Exception) -> str:
    reason = " ".join(str(error).split())[:300]
    return (
        f"{folder}: the model is damaged, although its digests are correct: "
        f"{type(error).__name__}: {reason}; move {folder.parent} away and train again"
    )
