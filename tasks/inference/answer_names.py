"""Predictions as text: several labels with a separator between them, and numbers."""

from collections.abc import Iterable
from contextlib import suppress

from stores.errors import NotInStore
from stores.manifest import Manifest
from stores.runs.record import Run
from stores.storage.location import StoreLike
from stores.targets import labels_text
from tasks.evaluation.calibrated_targets import Predicted

_SEPARATORS = ("|", ";", ",", "/", "\t")


def label_separator(run: Run, store: StoreLike) -> str:
    """Return what is between several labels in a text: that of the run's data set.

    Where the data set is not stored, or has other labels now, it is one that is in no label.
    """
    own: tuple[str, ...] = ()
    with suppress(NotInStore):
        own = (Manifest.read(store, run.dataset).label_separator,)
    return free_separator(run.classes, (*own, *_SEPARATORS))


def free_separator(labels: Iterable[str], candidates: Iterable[str] = _SEPARATORS) -> str:
    """Return the first candidate that is in no label."""
    every = "\n".join(labels)
    return next((one for one in candidates if one and one not in every), "\n")


def answer_text(predicted: Predicted | None, separator: str) -> str | None:
    """Return a class as it is, and labels as the text that a data set has of them."""
    if isinstance(predicted, tuple):
        return labels_text(predicted, separator)
    return None if predicted is None else str(predicted)
