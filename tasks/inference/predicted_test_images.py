"""Predictions of images in the run's data set: they are marked, and test images are recorded.

Predicting test images whose labels the user can see is a test evaluation, as `--open-test` is.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stores.errors import NotInStore
from stores.keys import KEY_BYTES, as_arrow
from stores.manifest import Images, Manifest
from stores.runs.record import Run
from stores.runs.store import RunStore
from stores.storage.location import StoreLike
from stores.target_values import Targets
from tasks.inference.predict import Prediction
from tasks.training.prediction_table import predictions as predictions_table


@dataclass(frozen=True)
class DatasetImages:
    """The accepted images of a run's data set; None: it is not stored."""

    manifest: Manifest | None
    images: Images | None = None

    def places(self, predictions: Sequence[Prediction]) -> list[int | None]:
        """Return where each predicted image is in `images`; None: it is not in the data set."""
        if self.images is None:
            return [None] * len(predictions)
        keys = pa.array([prediction.key for prediction in predictions], pa.binary(KEY_BYTES))
        found = pc.index_in(keys, as_arrow(self.images.keys), skip_nulls=True)
        return list(found.to_pylist())


def dataset_images(run: Run, *, store: StoreLike) -> DatasetImages:
    """Return the images of a run's data set, with their current splits."""
    try:
        manifest = Manifest.read(store, run.dataset)
    except NotInStore:
        return DatasetImages(None)
    return DatasetImages(manifest, manifest.select())


def with_splits(predictions: Sequence[Prediction], images: DatasetImages) -> list[Prediction]:
    """Return predictions with the split of each image that is in the run's data set."""
    splits = pa.array([], pa.string()) if images.images is None else images.images.splits
    return [
        prediction if place is None else replace(prediction, split=splits[place].as_py())
        for prediction, place in zip(predictions, images.places(predictions), strict=True)
    ]


def with_paths(predictions: Sequence[Prediction], images: DatasetImages) -> list[Prediction]:
    """Return predictions with the paths of the training images nearest to each."""
    new = [one.novelty for one in predictions if one.novelty]
    if images.images is None or not new:
        return list(predictions)
    wanted = dict.fromkeys(each.key for one in new for each in one.nearest)
    keys = pa.array(wanted, pa.binary(KEY_BYTES))
    places = pc.index_in(keys, as_arrow(images.images.keys))
    paths = images.images.paths.take(places).fill_null("").to_pylist()
    path_of = dict(zip(wanted, paths, strict=True))
    done = []
    for one in predictions:
        if one.novelty:
            named = (replace(each, path=path_of[each.key]) for each in one.novelty.nearest)
            one = replace(one, novelty=replace(one.novelty, nearest=tuple(named)))  # noqa: PLW2901
        done.append(one)
    return done


def record_test_images(
    predictions: Sequence[Prediction], images: DatasetImages, run: Run, *, store: StoreLike
) -> int:
    """Record the predictions of test images whose labels the user can see; return their number.

    The label can be seen if the file is in the data set's folder, or if the class, one of the
    labels, or the number is in the name of the file or of a folder above it. Images that are
    recorded for this run already are not recorded again; if all are, the number is 0. Raises
    StoreReadOnly or StoreFull if the record cannot be written.
    """
    known, manifest, runs = images.images, images.manifest, RunStore(store)
    if known is None or manifest is None or manifest.target != run.target:
        return 0
    seen = {}
    for prediction, place in zip(predictions, images.places(predictions), strict=True):
        if place is not None and prediction.split == "test":
            names = _true_names(known.labels[place], manifest)
            new = run.target != "number" and set(names) - set(run.classes)
            if not new and _label_visible(prediction, names, manifest):
                seen[bytes(known.keys[place])] = (place, names, prediction.scores)
    if not seen.keys() - set(map(bytes, runs.tested_keys(run.id))):
        return 0
    places, names_of, scores = (list(column) for column in zip(*seen.values(), strict=True))
    shown = Images(
        known.keys[places],
        _targets(known.labels[places], names_of, run),
        known.paths.take(places),
        known.splits.take(places),
    )
    runs.open_test(
        run.id,
        asked_by="flows.predict",
        metrics={},
        predictions=predictions_table(shown, np.array(scores, np.float64), run.classes),
        partial=True,
    )
    runs.bring_up_to_date()
    return len(seen)


def _true_names(own: Targets, manifest: Manifest) -> list[str]:
    """Return the class of an image, its labels, or its number as a person writes it."""
    if manifest.target == "number":
        return [f"{own:g}"]
    if manifest.target == "labels":
        return [manifest.classes[n] for n in np.flatnonzero(own)]
    return [manifest.classes[own]]


def _targets(own: Targets, names_of: Sequence[Sequence[str]], run: Run) -> Targets:
    """Return what is true of images by the run's classes, which may be others than now."""
    if run.target == "number":
        return own
    has = np.array([[name in names for name in run.classes] for names in names_of], np.int64)
    return has if run.target == "labels" else has.argmax(axis=1)


def _label_visible(prediction: Prediction, names: Sequence[str], manifest: Manifest) -> bool:
    path = Path(prediction.path)
    parts = PurePath(path.absolute()).parts
    if any(_names(part, name) for part in parts for name in names):
        return True
    return _real(path).is_relative_to(_real(manifest.folder))


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
