"""Predict the classes of images with a run's head; stored features are reused."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from stores.errors import MissingFeatures
from stores.features.recipe import Recipe
from stores.features.store import FeatureStore
from stores.keys import ImageKey, Rows
from stores.orientation import Orientation
from stores.runs.record import Run
from stores.runs.store import RunStore
from stores.storage.location import StoreLike
from tasks.errors import InputError
from tasks.evaluation.calibrated import Calibrated, calibrated_run
from tasks.execution.progress import advance
from tasks.features.engines import Engine, Job, load_engine
from tasks.features.engines.choice import choose_engine
from tasks.features.feature_batches import feature_batches
from tasks.features.request import EngineChoice
from tasks.features.shard_work import checked
from tasks.finetune.saved import features_job
from tasks.heads import TrainedHead, find_kind
from tasks.heads.stored import load_head
from tasks.images.exif import key_of
from tasks.images.image_check import examined
from tasks.images.pixel_batches import ImageFile, pixel_batches

# Images that are looked up and computed at once; between two parts, the engine is idle.
_IMAGES_AT_ONCE = 8192
_ROWS_AT_ONCE = 64  # of stored features, which may be feature maps


@dataclass(frozen=True)
class Classifier:
    """A run's head, and the job that computes its features."""

    run: Run
    head: TrainedHead
    classes: tuple[str, ...]
    scores: str  # the kind of its scores: probability or margin
    job: Job
    calibrated: Calibrated

    @property
    def orientation(self) -> Orientation:
        """How rotated photographs are used: as in the run's training."""
        return "stored" if self.run.parameters.get("orientation") == "stored" else "upright"

    @property
    def recipe(self) -> Recipe:
        """The recipe of its features."""
        return self.job.recipes[0]


@dataclass(frozen=True)
class Prediction:
    """The prediction for one image, or the reason why there is none."""

    path: str
    predicted: str | None = None
    scores: tuple[float, ...] = ()  # one per class
    reason: str = ""
    cached: bool = False  # whether its features were in the store
    key: ImageKey | None = None
    split: str = ""  # of the image in the run's data set; empty for other images
    probabilities: tuple[float, ...] = ()  # one per class, calibrated
    set: tuple[str, ...] | None = None  # with a coverage: the classes of its set

    @property
    def probability(self) -> float | None:
        """The probability of the predicted class."""
        return max(self.probabilities) if self.probabilities else None

    @property
    def unsure(self) -> bool | None:
        """Whether its set is not one class; None without a set."""
        return None if self.set is None else len(self.set) != 1


def load_classifier(
    run: Run, *, store: StoreLike, weights: str | None = None, engine: EngineChoice = "auto"
) -> Classifier:
    """Return the classifier of a run, from images to scores.

    `weights` is the backbone's weights file, if it was moved. Raises InputError if the run has no
    model, the recipe of its features is not stored, or the weights are not those of the features.
    """
    runs = RunStore(store)
    return Classifier(
        run=run,
        head=load_head(runs, run),
        classes=run.classes,
        scores=find_kind(run.head["kind"]).scores,
        job=features_job(run, store=store, weights=weights, engine=engine),
        calibrated=calibrated_run(runs, run),
    )


def predict(
    paths: Sequence[Path],
    classifier: Classifier,
    *,
    batch_size: int,
    known: Mapping[Path, ImageKey] | None = None,
    orientation: Orientation | None = None,
) -> Iterator[Prediction]:
    """Yield the prediction for each image, in order; for a bad image, the reason.

    An image whose key is `known` is read only if its features are missing. Photographs with EXIF
    rotation are used as in the run's training, or by `orientation`.
    """
    known, used = known or {}, orientation or classifier.orientation
    for start in range(0, len(paths), _IMAGES_AT_ONCE):
        part = paths[start : start + _IMAGES_AT_ONCE]
        some = [str(path) for path in part]
        with ThreadPoolExecutor() as pool:
            keys = list(pool.map(lambda path: known.get(path) or _key(str(path), used), part))
        images: list[ImageFile] = []
        found: dict[str, Prediction] = {}
        for path, key in zip(some, keys, strict=True):
            if isinstance(key, ImageKey):
                images.append(ImageFile(key, path))
            else:
                found[path] = Prediction(written(path), reason=key)
        advance(len(found))
        found |= _of_images(images, classifier, batch_size)
        yield from (found[path] for path in some)


def as_table(predictions: Sequence[Prediction], classes: Sequence[str]) -> pa.Table:
    """Return predictions as a table: path, predicted, probability, reason, split, each class's.

    `split` is that of an image in the run's data set. A class's column is `probability of CLASS`.
    With sets there are `set`, a list of classes, and `unsure`, whether it is not one class.
    """
    columns = {
        "path": pa.array([one.path for one in predictions], pa.string()),
        "predicted": pa.array([one.predicted for one in predictions], pa.string()),
        "probability": pa.array([one.probability for one in predictions], pa.float64()),
        "reason": pa.array([one.reason or None for one in predictions], pa.string()),
        "split": pa.array([one.split or None for one in predictions], pa.string()),
    }
    if any(one.set is not None for one in predictions):
        sets = [one.set for one in predictions]
        columns["set"] = pa.array(sets, pa.list_(pa.string()))
        columns["unsure"] = pa.array([one.unsure for one in predictions], pa.bool_())
    for number, label in enumerate(classes):
        found = [one.probabilities[number] if one.scores else None for one in predictions]
        columns[f"probability of {label}"] = pa.array(found, pa.float64())
    return pa.table(columns)


def _of_images(
    images: list[ImageFile], classifier: Classifier, batch_size: int
) -> dict[str, Prediction]:
    """Return the predictions for images, by path."""
    if not images:
        return {}
    stored = FeatureStore(classifier.job.store, classifier.recipe)
    is_missing = stored.missing([image.key for image in images])
    found: dict[str, Prediction] = {}
    try:
        known = [image for image, lost in zip(images, is_missing, strict=True) if not lost]
        for at, rows in stored.batches([image.key for image in known], batch_size=_ROWS_AT_ONCE):
            found |= _predicted([known[n] for n in at.tolist()], rows, classifier, cached=True)
            advance(len(at))
    except MissingFeatures:
        pass  # damaged features were set aside: they are computed again
    missing = [image for image in images if image.path not in found]
    if missing:
        engine = load_engine(choose_engine(classifier.job, len(missing)))
        for some in _computed(missing, classifier, engine, batch_size):
            found |= some
            advance(len(some))
    return found


def _computed(
    images: list[ImageFile], classifier: Classifier, engine: Engine, batch_size: int
) -> Iterator[dict[str, Prediction]]:
    """Yield the predictions for images whose features have to be computed, batch by batch."""
    done: set[str] = set()
    try:
        with pixel_batches(images, Path(), classifier.recipe, batch_size=batch_size) as decoded:
            for batch, (rows,) in feature_batches(decoded, engine):
                found = _predicted(
                    batch.images, checked(rows, classifier.recipe, batch.images), classifier
                )
                found |= {
                    bad.path: Prediction(written(bad.path), reason=bad.reason)
                    for bad in batch.rejected
                }
                done |= found.keys()
                yield found
    except InputError as error:  # an image that does not fit the recipe
        if len(images) == 1:
            yield {images[0].path: Prediction(written(images[0].path), reason=str(error))}
            return
        for image in images:
            if image.path not in done:
                yield from _computed([image], classifier, engine, batch_size)


def _predicted(
    images: Sequence[ImageFile], rows: Rows, classifier: Classifier, *, cached: bool = False
) -> dict[str, Prediction]:
    if not images:
        return {}
    scores = classifier.head.scores(rows)
    return {
        image.path: Prediction(
            written(image.path),
            classifier.classes[int(own.argmax())],
            tuple(own.tolist()),
            cached=cached,
            key=image.key,
        )
        for image, own in zip(images, scores, strict=True)
    }


def _key(path: str, used: Orientation) -> ImageKey | str:
    """Return the key of a file's content, or the reason why it is rejected."""
    try:
        return key_of(examined(path), used)
    except InputError as error:
        return str(error)


def written(path: Path | str) -> str:
    """Return a path as text, with bytes that are not UTF-8 as escapes."""
    return os.fsencode(path).decode(errors="backslashreplace")
