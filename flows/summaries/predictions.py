"""What predicting images returns."""

from collections.abc import Iterator
from dataclasses import dataclass

from stores.in_notebook import InNotebook, Table
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
    predicted: str | None  # the class
    probability: float | None
    reason: str
    split: str | None  # in the run's own data set
    set: tuple[str, ...] | None = None  # with a coverage: the classes that may be true
    unsure: bool | None = None  # with a coverage: whether that is not one class
    novelty: float | None = None  # a p-value: small for an image unlike the training images
    nearest: tuple[NearestImage, ...] = ()  # training images, the most similar first
    unlike: bool | None = None  # with a level: whether `novelty` is at most that


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
    counts: dict[str, int]  # images by predicted class
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

    def tables(self) -> Iterator[Table]:
        """Yield the images by predicted class, and the predictions."""
        yield Table(f"Predicted by {self.model}", [self.counts])
        yield Table(
            f"{self.images:,} images",
            [
                {
                    "image": image.path,
                    "predicted": image.predicted,
                    "probability": image.probability,
                    **({"novelty": image.novelty} if self.shift else {}),
                    **({"set": ", ".join(image.set or ())} if self.sets else {}),
                    "reason": image.reason,
                }
                for image in self.predictions
            ],
        )
