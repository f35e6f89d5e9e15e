"""Predict images with a run's head; stored features are reused."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stores.features.recipe import Recipe
from stores.keys import ImageKey
from stores.orientation import Orientation
from stores.runs.record import Run
from stores.runs.store import RunStore
from stores.storage.location import StoreLike
from stores.targets import Target
from tasks.evaluation.calibrated_targets import (
    AnyCalibrated,
    Predicted,
    answers,
    calibrated_target,
)
from tasks.features.engines import Job
from tasks.features.request import EngineChoice
from tasks.finetune.saved import features_job
from tasks.heads import TrainedHead, find_kind
from tasks.heads.stored import load_head
from tasks.inference.answer_names import label_separator
from tasks.inference.image_rows import IMAGES_AT_ONCE, ImageRows, image_rows, written
from tasks.inference.novelty import Novelty, Reference


@dataclass(frozen=True)
class Classifier:
    """A run's head, and the job that computes its features."""

    run: Run
    head: TrainedHead
    classes: tuple[str, ...]
    scores: str  # the kind of its scores: probability or margin, or number
    job: Job
    calibrated: AnyCalibrated
    separator: str = ""  # between several labels in a text

    @property
    def target(self) -> Target:
        """What it predicts."""
        return self.run.target

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
    predicted: Predicted | None = None
    scores: tuple[float, ...] = ()  # one per class or label, or the number
    reason: str = ""
    cached: bool = False  # whether its features were in the store
    key: ImageKey | None = None
    split: str = ""  # of the image in the run's data set; empty for other images
    probabilities: tuple[float, ...] = ()  # one per class or label, calibrated
    probability: float | None = None  # of the predicted class
    set: tuple[str, ...] | None = None  # with a coverage: the classes of its set
    interval: tuple[float, float] | None = None  # with a coverage: that of its number
    novelty: Novelty | None = None  # None: there is nothing to compare it with

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
        scores="number" if run.target == "number" else find_kind(run.head["kind"]).scores,
        job=features_job(run, store=store, weights=weights, engine=engine),
        calibrated=calibrated_target(runs, run),
        separator=label_separator(run, store) if run.target == "labels" else "",
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


def _predicted(
    some: ImageRows, classifier: Classifier, reference: Reference | None
) -> dict[str, Prediction]:
    """Return the predictions for some images, by path."""
    found = {bad.path: Prediction(written(bad.path), reason=bad.reason) for bad in some.rejected}
    if not some.images:
        return found
    scores = classifier.head.scores(some.rows)
    predicted = answers(scores, classifier.classes, classifier.calibrated)
    novelty = reference.novelty(some.rows) if reference else [None] * len(scores)
    return found | {
        image.path: Prediction(
            written(image.path),
            answer,
            tuple(own.tolist()),
            cached=some.cached,
            key=image.key,
            novelty=new,
        )
        for image, answer, own, new in zip(some.images, predicted, scores, novelty, strict=True)
    }
