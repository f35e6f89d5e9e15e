"""What predicting images returns."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from stores.in_notebook import InNotebook, Table
from stores.targets import Target
from tasks.evaluation.calibrated_targets import Predicted
from tasks.evaluation.set_names import CoverageBy, SetKind
from tasks.inference.novelty import Shift


@dataclass(frozen=True)
class NearestImage:
    """A training image that is similar to a predicted image."""

    path: str  # in the folder of the run's data set; empty where it is not in the store
    label: str
    similarity: float  # the cosine of their features


@dataclass(frozen=True)
class PredictedImage:
    """What an image shows, or the reason why it could not be used."""

    path: str
    predicted: Predicted | None  # the class, the labels, or the number
    probability: float | None  # of the class
    reason: str
    split: str | None  # in the run's own data set
    set: tuple[str, ...] | None = None  # with a coverage: the classes that may be true
    unsure: bool | None = None  # with a coverage: whether that is not one class
    novelty: float | None = None  # a p-value: small for an image unlike the training images
    nearest: tuple[NearestImage, ...] = ()  # training images, the most similar first
    unlike: bool | None = None  # with a level: whether `novelty` is at most that
    probabilities: dict[str, float] | None = None  # of several labels: of each
    interval: tuple[float, float] | None = None  # with a coverage: the ends of the number's


@dataclass(frozen=True)
class Sets:
    """The sets of classes that hold the true one, of all images."""

    coverage: float
    kind: SetKind
    by: CoverageBy | None
    held_out_images: int  # by which they were calibrated
    unsure: int  # images whose set is not one class: `several` and `empty`
    several: int
    empty: int
    mean_size: float


@dataclass(frozen=True)
class PredictedNumbers:
    """The numbers that are predicted for all images."""

    mean: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class Intervals:
    """The intervals that hold the true number, of all images."""

    coverage: float
    by: Literal["group"] | None
    held_out_images: int  # by which they were found
    width: float


@dataclass(frozen=True)
class InDataset:
    """How many of the predicted images are in the run's own data set."""

    dataset: str
    in_store: bool  # whether that data set is in the store
    train: int
    validation: int
    test: int
    recorded: int  # test images with labels at hand: counted as a test evaluation


@dataclass(frozen=True, kw_only=True)
class PredictSummary(InNotebook):
    """The predictions of a run, or of an exported model."""

    model: str
    seconds: float
    images: int
    counts: dict[str, int]  # images by predicted class or label; none of a number
    cached: int  # features
    computed: int
    rejected: int
    predictions: tuple[PredictedImage, ...]
    in_its_dataset: InDataset | None  # None: of an exported model
    passed_over: dict[str, int]  # files in the folders that were not predicted, by ending
    output: str | None  # the files that were written
    grid: str | None
    not_calibrated: str = ""  # why probabilities are the head's own; '' where they are calibrated
    sets: Sets | None = None  # with a coverage
    shift: Shift | None = None  # how many images are unlike the training images
    not_compared: str = ""  # why there is no novelty, or no shift; '' where there is
    target: Target = "classes"  # what is predicted
    without_label: int | None = None  # of several labels: images that have none of them
    numbers: PredictedNumbers | None = None  # of a number; None without an image
    intervals: Intervals | None = None  # of a number, with a coverage
    # With costs: images whose class is another than the most probable one.
    changed_by_costs: int | None = None

    def tables(self) -> Iterator[Table]:
        """Yield the images by predicted class or label, or the numbers; and the predictions."""
        yield Table(
            f"Predicted by {self.model}", [vars(self.numbers) if self.numbers else self.counts]
        )
        yield Table(f"{self.images:,} images", [self._row(image) for image in self.predictions])

    def _row(self, image: PredictedImage) -> dict[str, Any]:
        found = image.predicted
        return {
            "image": image.path,
            "predicted": ", ".join(found) if isinstance(found, tuple) else found,
            **({"probability": image.probability} if self.target == "classes" else {}),
            **(image.probabilities or {}),
            **({"interval": image.interval} if self.intervals else {}),
            **({"novelty": image.novelty} if self.shift else {}),
            **({"set": ", ".join(image.set or ())} if self.sets else {}),
            "reason": image.reason,
        }
