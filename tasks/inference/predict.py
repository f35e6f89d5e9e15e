"""Predict the classes of images with a run's head; stored features are reused."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from stores.features.recipe import Recipe
from stores.keys import ImageKey
from stores.orientation import Orientation
from stores.runs.record import Run
from stores.runs.store import RunStore
from stores.storage.location import StoreLike
from tasks.evaluation.calibrated import Calibrated, calibrated_run
from tasks.features.engines import Job
from tasks.features.request import EngineChoice
from tasks.finetune.saved import features_job
from tasks.heads import TrainedHead, find_kind
from tasks.heads.stored import load_head
from tasks.inference.image_rows import IMAGES_AT_ONCE, ImageRows, image_rows, written
from tasks.inference.novelty import Novelty, Reference


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
    novelty: Novelty | None = None  # None: there is nothing to compare it with

    @property
    def probability(self) -> float | None:
        """The probability of the predicted class."""
        return max(self.probabilities) if self.probabilities else None

    @property
    def unsure(self) -> bool | None:
        """Whether its set is not one class; None without a set."""
        return None if self.set is None else len(self.set) != 1

    def unlike(self, level: float | None) -> bool | None:
        """Return whether it is unlike the training images at a level; None without either."""
        return self.novelty.p_value <= level if self.novelty and level else None


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
    reference: Reference | None = None,
) -> Iterator[Prediction]:
    """Yield the prediction for each image, in order; for a bad image, the reason.

    With a `reference` each has its novelty.

    An image whose key is `known` is read only if its features are missing. Photographs with EXIF
    rotation are used as in the run's training, or by `orientation`.
    """
    used = orientation or classifier.orientation
    for start in range(0, len(paths), IMAGES_AT_ONCE):
        part = paths[start : start + IMAGES_AT_ONCE]
        found: dict[str, Prediction] = {}
        for some in image_rows(
            part, classifier.job, orientation=used, batch_size=batch_size, known=known
        ):
            found |= _predicted(some, classifier, reference)
        yield from (found[str(path)] for path in part)


def as_table(predictions: Sequence[Prediction], classes: Sequence[str]) -> pa.Table:
    """Return predictions as a table: path, predicted, probability, reason, split, each class's.

    `split` is that of an image in the run's data set. A class's column is `probability of CLASS`.
    With sets there are `set`, a list of classes, and `unsure`, whether it is not one class. Where
    images were compared with the training images there are `novelty`, a p-value, `nearest`, paths
    of the most similar of these, and `similarity`, the cosine of the first.
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
    if any(one.novelty for one in predictions):
        new = [one.novelty for one in predictions]
        nearest = [one and [each.path for each in one.nearest] for one in new]
        columns["novelty"] = pa.array([one and one.p_value for one in new], pa.float64())
        columns["nearest"] = pa.array(nearest, pa.list_(pa.string()))
        alike = [one and one.nearest[0].similarity for one in new]
        columns["similarity"] = pa.array(alike, pa.float64())
    for number, label in enumerate(classes):
        found = [one.probabilities[number] if one.scores else None for one in predictions]
        columns[f"probability of {label}"] = pa.array(found, pa.float64())
    return pa.table(columns)


def _predicted(
    some: ImageRows, classifier: Classifier, reference: Reference | None
) -> dict[str, Prediction]:
    """Return the predictions for some images, by path."""
    found = {bad.path: Prediction(written(bad.path), reason=bad.reason) for bad in some.rejected}
    if not some.images:
        return found
    scores = classifier.head.scores(some.rows)
    novelty = reference.novelty(some.rows) if reference else [None] * len(scores)
    return found | {
        image.path: Prediction(
            written(image.path),
            classifier.classes[int(own.argmax())],
            tuple(own.tolist()),
            cached=some.cached,
            key=image.key,
            novelty=new,
        )
        for image, own, new in zip(some.images, scores, novelty, strict=True)
    }
