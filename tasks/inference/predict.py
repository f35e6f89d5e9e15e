"""Predict: a run's head says what images show; features that are stored are not computed."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from stores.errors import MissingFeatures
from stores.features.recipe import Recipe
from stores.features.store import FeatureStore
from stores.keys import ImageKey, Rows
from stores.runs.record import Run
from stores.runs.store import RunStore
from tasks.errors import InputError
from tasks.execution.progress import advance
from tasks.features.engines import Engine, Job, load_engine
from tasks.features.engines.choice import choose_engine
from tasks.features.feature_batches import feature_batches
from tasks.features.request import EngineChoice
from tasks.features.shard_work import checked
from tasks.finetune.saved import features_job
from tasks.heads import TrainedHead, find_kind
from tasks.images.image_check import examined
from tasks.images.pixel_batches import ImageFile, pixel_batches
from tasks.training.evaluate_test_split import load_head

# Looked up and computed in one go; between two, the engine waits for what is decoded.
_IMAGES_AT_ONCE = 8192
_ROWS_AT_ONCE = 64  # of stored features, which may be maps


@dataclass(frozen=True)
class Classifier:
    """A run's head, and what makes its features of images."""

    run: Run
    head: TrainedHead
    classes: tuple[str, ...]
    scores: str  # what its scores are: probability or margin
    job: Job

    @property
    def recipe(self) -> Recipe:
        """That of its features."""
        return self.job.recipes[0]


@dataclass(frozen=True)
class Prediction:
    """What a classifier says of one image; or why it says nothing."""

    path: str
    predicted: str | None = None
    scores: tuple[float, ...] = ()  # one a class
    reason: str = ""
    cached: bool = False  # whether its features were in the store
    key: ImageKey | None = None
    split: str = ""  # that the image has in the run's data set; empty for others

    @property
    def score(self) -> float | None:
        """That of the class that is predicted."""
        return max(self.scores) if self.scores else None


def load_classifier(
    run: Run, *, store: Path, weights: str | None = None, engine: EngineChoice = "auto"
) -> Classifier:
    """Return the classifier that a run is, from images to scores.

    `weights` are the backbone's, where they lie elsewhere now. Raises InputError where the run has
    no model, its features' recipe is gone, or the weights are not those that they were made with.
    """
    return Classifier(
        run=run,
        head=load_head(RunStore(store), run),
        classes=run.classes,
        scores=find_kind(run.head["kind"]).scores,
        job=features_job(run, store=store, weights=weights, engine=engine),
    )


def predict(
    paths: Sequence[Path], classifier: Classifier, *, batch_size: int
) -> Iterator[Prediction]:
    """Yield what is said of each image, in their order; of one that is bad, the reason."""
    for start in range(0, len(paths), _IMAGES_AT_ONCE):
        some = [str(path) for path in paths[start : start + _IMAGES_AT_ONCE]]
        with ThreadPoolExecutor() as pool:
            keys = list(pool.map(_key, some))
        images = [
            ImageFile(key, path)
            for path, key in zip(some, keys, strict=True)
            if isinstance(key, ImageKey)
        ]
        told = {
            path: Prediction(written(path), reason=key)
            for path, key in zip(some, keys, strict=True)
            if isinstance(key, str)
        }
        advance(len(told))
        told |= _of_images(images, classifier, batch_size)
        yield from (told[path] for path in some)


def as_table(predictions: Sequence[Prediction], classes: Sequence[str], name: str) -> pa.Table:
    """Return predictions as a table: path, predicted, score, reason, split, each class's score.

    `split` is that of an image of the run's data set. `name` is what scores are, `probability` or
    `margin`: a class's column is `margin of CLASS`.
    """
    columns = {
        "path": pa.array([told.path for told in predictions], pa.string()),
        "predicted": pa.array([told.predicted for told in predictions], pa.string()),
        name: pa.array([told.score for told in predictions], pa.float64()),
        "reason": pa.array([told.reason or None for told in predictions], pa.string()),
        "split": pa.array([told.split or None for told in predictions], pa.string()),
    }
    for number, label in enumerate(classes):
        scores = [told.scores[number] if told.scores else None for told in predictions]
        columns[f"{name} of {label}"] = pa.array(scores, pa.float64())
    return pa.table(columns)


def _of_images(
    images: list[ImageFile], classifier: Classifier, batch_size: int
) -> dict[str, Prediction]:
    """Return what is said of images, by their paths."""
    if not images:
        return {}
    stored = FeatureStore(classifier.job.store, classifier.recipe)
    lacking = stored.missing([image.key for image in images])
    told: dict[str, Prediction] = {}
    try:
        known = [image for image, lacks in zip(images, lacking, strict=True) if not lacks]
        for at, rows in stored.batches([image.key for image in known], batch_size=_ROWS_AT_ONCE):
            told |= _said([known[n] for n in at.tolist()], rows, classifier, cached=True)
            advance(len(at))
    except MissingFeatures:
        pass  # some are damaged, and set aside: they are computed like any other
    missing = [image for image in images if image.path not in told]
    if missing:
        engine = load_engine(choose_engine(classifier.job, len(missing)))
        for some in _computed(missing, classifier, engine, batch_size):
            told |= some
            advance(len(some))
    return told


def _computed(
    images: list[ImageFile], classifier: Classifier, engine: Engine, batch_size: int
) -> Iterator[dict[str, Prediction]]:
    """Yield what is said of images that have to be computed, batch by batch."""
    done: set[str] = set()
    try:
        with pixel_batches(images, Path(), classifier.recipe, batch_size=batch_size) as decoded:
            for batch, (rows,) in feature_batches(decoded, engine):
                told = _said(
                    batch.images, checked(rows, classifier.recipe, batch.images), classifier
                )
                told |= {
                    bad.path: Prediction(written(bad.path), reason=bad.reason)
                    for bad in batch.rejected
                }
                done |= told.keys()
                yield told
    except InputError as error:  # an image that does not fit the recipe
        if len(images) == 1:
            yield {images[0].path: Prediction(written(images[0].path), reason=str(error))}
            return
        for image in images:
            if image.path not in done:
                yield from _computed([image], classifier, engine, batch_size)


def _said(
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


def _key(path: str) -> ImageKey | str:
    """Return the key of a file's bytes, or why it is refused."""
    try:
        return ImageKey.of(examined(path))
    except InputError as error:
        return str(error)


def written(path: Path | str) -> str:
    """Return a path as text: the bytes of a name that are no UTF-8 are written out."""
    return os.fsencode(path).decode(errors="backslashreplace")
