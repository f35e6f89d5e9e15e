"""Predictions of images in the run's data set: they are marked, and test images are recorded.

Predicting test images whose labels the user can see is a test evaluation, as `--open-test` is.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import numpy as np

from stores.errors import NotInStore
from stores.keys import as_keys
from stores.manifest import Entry, Images, Manifest
from stores.runs.record import Run
from stores.runs.store import RunStore
from stores.storage.location import StoreLike
from tasks.inference.predict import Prediction
from tasks.training.prediction_table import predictions as predictions_table


@dataclass(frozen=True)
class DatasetImages:
    """The accepted images of a run's data set, by key; `manifest` None: it is not stored."""

    manifest: Manifest | None
    entries: dict[bytes, Entry]


def dataset_images(run: Run, *, store: StoreLike) -> DatasetImages:
    """Return the images of a run's data set, with their current splits."""
    try:
        manifest = Manifest.read(store, run.dataset)
    except NotInStore:
        return DatasetImages(None, {})
    accepted = manifest.of_status("accepted")
    return DatasetImages(manifest, {entry.key: entry for entry in accepted if entry.key})


def with_splits(predictions: Sequence[Prediction], images: DatasetImages) -> list[Prediction]:
    """Return predictions with the split of each image that is in the run's data set."""
    return [
        replace(prediction, split=entry.split)
        if (entry := _entry(prediction, images)) and entry.split
        else prediction
        for prediction in predictions
    ]


def record_test_images(
    predictions: Sequence[Prediction], images: DatasetImages, run: Run, *, store: StoreLike
) -> int:
    """Record the predictions of test images whose labels the user can see; return their number.

    The label can be seen if the file is in the data set's folder, or if the class is in the name of
    the file or of a folder above it. Images that are recorded for this run already are not recorded
    again; if all are, the number is 0. Raises StoreReadOnly or StoreFull if the record cannot be
    written.
    """
    runs = RunStore(store)
    seen = {
        prediction.key: (entry, prediction)
        for prediction in predictions
        if prediction.split == "test"
        and prediction.key
        and (entry := _entry(prediction, images))
        and entry.label in run.classes
        and _label_visible(prediction, entry, images.manifest)
    }
    if not seen.keys() - runs.tested_keys(run.id):
        return 0
    shown = Images(
        as_keys(seen),
        np.array([run.classes.index(str(entry.label)) for entry, _ in seen.values()], np.int64),
        [entry.path for entry, _ in seen.values()],
    )
    scores = np.array([prediction.scores for _, prediction in seen.values()], np.float64)
    runs.open_test(
        run.id,
        asked_by="flows.predict",
        metrics={},
        predictions=predictions_table(shown, ["test"] * len(seen), scores, run.classes),
        partial=True,
    )
    runs.bring_up_to_date()
    return len(seen)


def _entry(prediction: Prediction, images: DatasetImages) -> Entry | None:
    return images.entries.get(prediction.key) if prediction.key else None


def _label_visible(prediction: Prediction, entry: Entry, manifest: Manifest | None) -> bool:
    path = Path(prediction.path)
    if any(_names(part, str(entry.label)) for part in PurePath(path.absolute()).parts):
        return True
    return manifest is not None and _real(path).is_relative_to(_real(manifest.folder))


def _names(part: str, label: str) -> bool:
    """Return whether a class is in the name of a file or folder, as in `cat.12.jpg` or `Cats`."""
    name, wanted = (re.sub(r"[\W_]+", " ", text.casefold()).strip() for text in (part, label))
    # The class `1` is not in `12`, but `cat` is in `cat12`.
    beside = r"\w" if re.search(r"\d", wanted) else r"[^\W\d]"
    singular = re.escape(wanted.removesuffix("s"))
    found = wanted and re.search(f"(?<!{beside}){singular}s?(?!{beside})", name)
    return part == label or bool(found)


def _real(path: str | Path) -> Path:
    return Path(os.path.realpath(path))  # also for a link to itself, where Path.resolve raises
