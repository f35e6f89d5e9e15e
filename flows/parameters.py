"""The parameters of all flows, typed once: they serve the command line, deployments and docs.

They live apart from the flows, because a model that is defined in a module run as `__main__` is
not the same class as the one imported.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from cyclopts import Parameter, validators
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from stores.publish import nearest_there
from stores.recipe import AspectRatio, Decode, Pooling, Precision, StoredDtype
from tasks.backbones import EFFICIENTNET_LITE0, find_backbone
from tasks.engines import EngineChoice
from tasks.errors import InputError
from tasks.extract import BATCH_SIZE, SHARD_SIZE
from tasks.folds import FoldCount
from tasks.heads.choices import HeadName
from tasks.heads.settings import (
    Activation,
    ClassWeights,
    Count,
    Metric,
    Neighbors,
    Optimizer,
    Penalty,
    Rate,
    Schedule,
    Share,
    Strength,
    Units,
)
from tasks.recipes import DEFAULT_TAP, FeatureRequest
from tasks.repeat import options
from tasks.splits import SplitRule

Folder = Annotated[Path, Parameter(validator=validators.Path(exists=True, file_okay=False))]


def _no_file(store: Path) -> Path:
    nearest = nearest_there(store)
    if not nearest.is_dir():
        raise ValueError(f"{nearest} is no folder")
    return store


@Parameter(name="*")
class StoreParameters(BaseModel):
    """Where everything is kept."""

    model_config = ConfigDict(extra="forbid")

    store: Annotated[Path, AfterValidator(_no_file)] = Field(
        Path("feature-store"), description="Folder of the feature store."
    )


@Parameter(name="*")
class DatasetParameters(StoreParameters):
    """Which data set, and how its images are split."""

    dataset: str | None = Field(
        None, min_length=1, description="Name of the data set [default: that of the folder]."
    )
    seed: int | None = Field(
        None,
        ge=0,
        lt=2**32,
        description="Seed of the split, the head and untrained weights "
        "[default: the data set's own; 0 for a new one].",
    )
    test_split: Share | None = Field(
        None, description="Share of all images held out for testing [default: the data set's; 0.2]."
    )
    validation_split: Share | None = Field(
        None, description="Share of the rest used to choose a head [default: the data set's; 0.2]."
    )
    rehash: bool = Field(default=False, description="Read every file again, changed or not.")

    @property
    def split_rule(self) -> SplitRule:
        """What is asked of the splits."""
        return SplitRule(self.seed, self.test_split, self.validation_split)


@Parameter(name="*")
class FeatureParameters(StoreParameters):
    """What is made of an image: backbone, weights, tap, pooling."""

    backbone: Annotated[str, AfterValidator(lambda name: find_backbone(name).name)] = Field(
        EFFICIENTNET_LITE0, description="Any of keras.applications in snake case, or this."
    )
    image_size: int | None = Field(
        None, gt=0, le=4096, description="Height and width in pixels [default: the backbone's own]."
    )
    weights: str = Field("imagenet", description="imagenet, none (untrained), or a weights file.")
    tap: list[str] = Field(
        [DEFAULT_TAP], min_length=1, description="Layer whose output is kept; may be repeated."
    )
    pooling: Pooling = Field("avg", description="What is done to a map: avg, max, or none.")
    dtype: StoredDtype = Field("float32", description="How features are stored.")
    crop_to_aspect_ratio: bool = Field(
        default=False, description="Crop images to the backbone's shape instead of distorting them."
    )
    pad_to_aspect_ratio: bool = Field(
        default=False, description="Pad images to the backbone's shape instead of distorting them."
    )

    decode: Decode = Field(
        "exact",
        description="How JPEGs are read; fast: at a reduced scale, which gives other pixels.",
    )
    precision: Precision = Field(
        "float32", description="Of the backbone's arithmetic; bfloat16 where the CPU has it."
    )

    @model_validator(mode="after")
    def _crop_or_pad(self) -> Self:
        if self.crop_to_aspect_ratio and self.pad_to_aspect_ratio:
            raise ValueError("--crop-to-aspect-ratio and --pad-to-aspect-ratio exclude each other")
        return self

    @property
    def flags(self) -> str:
        """The flags of these features, as they are typed."""
        asked = {name: getattr(self, name) for name in FeatureParameters.model_fields}
        return " ".join(options(FeatureParameters(**asked).model_dump(exclude_defaults=True)))

    def request(self, *, seed: int) -> FeatureRequest:
        """Return what is asked of the features of a data set with this seed."""
        aspect_ratio: AspectRatio = "stretch"
        if self.crop_to_aspect_ratio or self.pad_to_aspect_ratio:
            aspect_ratio = "crop" if self.crop_to_aspect_ratio else "pad"
        return FeatureRequest(
            backbone=self.backbone,
            weights=self.weights,
            image_size=self.image_size,
            taps=tuple(self.tap),
            pooling=self.pooling,
            dtype=self.dtype,
            aspect_ratio=aspect_ratio,
            seed=seed,
            decode=self.decode,
            precision=self.precision,
        )


@Parameter(name="*")
class IngestParameters(DatasetParameters):
    """The parameters of `flows.ingest`."""


@Parameter(name="*")
class ExtractParameters(FeatureParameters, DatasetParameters):
    """The parameters of `flows.extract`."""

    engine: EngineChoice = Field(
        "auto",
        description="What runs the backbone: auto, keras or openvino; features are the same.",
    )
    batch_size: int = Field(BATCH_SIZE, gt=0, description="Images computed at once.")
    shard_size: int = Field(SHARD_SIZE, gt=0, description="Features kept in one file, at most.")


@Parameter(name="*")
class TrainParameters(FeatureParameters):
    """The parameters of `flows.train`."""

    seed: int | None = Field(
        None,
        ge=0,
        lt=2**32,
        description="Seed of the head, and of untrained weights [default: the data set's own].",
    )
    head: list[HeadName] = Field(
        ["dense", "logistic", "svm"],
        min_length=1,
        description="Head or preset; of several, the best on validation is chosen.",
    )
    folds: FoldCount = Field(
        0,
        description="Measure each head on so many folds of train and validation, and then train it "
        "on both [default: train on train, measure on validation].",
    )
    hidden_units: list[Units] | None = Field(
        None, description="Units of each hidden layer of the dense head [default: no hidden layer]."
    )
    activation: Activation | None = Field(
        None, description="Activation of the dense head's hidden layers [default: relu]."
    )
    dropout: Share | None = Field(
        None, description="Dropout before the dense head's output [default: 0.2]."
    )
    optimizer: Optimizer | None = Field(
        None, description="Optimizer of the dense head [default: adam]."
    )
    learning_rate: Rate | None = Field(
        None, description="Learning rate of the dense head [default: 0.001]."
    )
    schedule: Schedule | None = Field(
        None, description="How the learning rate goes on [default: constant]."
    )
    epochs: Count | None = Field(None, description="Epochs of the dense head [default: 20].")
    patience: Count | None = Field(
        None,
        description="End after so many epochs without a better validation loss, and take the best "
        "epoch [default: all epochs, and the last].",
    )
    head_batch_size: Count | None = Field(
        None, description="Batch size of the dense head [default: 32]."
    )
    l2: Penalty | None = Field(None, description="L2 penalty of the dense head's kernels.")
    label_smoothing: Share | None = Field(None, description="Label smoothing of the dense head.")
    batch_norm: bool | None = Field(
        None, description="Batch normalisation in the dense head's hidden layers."
    )
    inverse_regularization: Strength | None = Field(
        None, description="C of the linear heads [default: logistic 0.1, svm 0.01]."
    )
    penalty: Penalty | None = Field(None, description="Alpha of the ridge head [default: 100].")
    neighbors: Neighbors | None = Field(
        None, description="Training images that the knn head asks [default: 5]."
    )
    metric: Metric | None = Field(
        None, description="Distance of the knn head's images [default: cosine]."
    )
    class_weights: ClassWeights | None = Field(
        None,
        description="balanced: an image of a rare class counts more, in dense, logistic and svm "
        "[default: none].",
    )
    standardize: Annotated[bool | None, Parameter(negative="--no-standardize")] = Field(
        None,
        description="Features are standardised by the training images [default: for logistic, "
        "svm, ridge and centroid].",
    )

    @model_validator(mode="after")
    def _one_tap(self) -> Self:
        if len(self.tap) != 1:
            raise ValueError(f"--tap {', '.join(self.tap)}: a head is trained on one tap")
        return self

    @property
    def head_settings(self) -> dict[str, Any]:
        """What is asked of the heads beyond their names."""
        names = set(TrainParameters.model_fields) - set(FeatureParameters.model_fields)
        given = self.model_dump(include=names - {"seed", "head", "folds"}, exclude_none=True)
        if "head_batch_size" in given:
            given["batch_size"] = given.pop("head_batch_size")
        return given


@Parameter(name="*")
class OpenTestParameters(TrainParameters):
    """The parameters of `flows.train` alone: the pipeline always opens the test split, once."""

    open_test: bool = Field(
        default=False, description="Evaluate the chosen head on the test split; this is recorded."
    )


@Parameter(name="*")
class SweepParameters(OpenTestParameters):
    """The parameters of `flows.sweep`."""

    grid: list[str] = Field(
        [],
        description="NAME=VALUE,VALUE,…: values to try of a setting of the heads, of the features "
        "or of the seed; may be repeated. Hidden layers as 256 or 512x256.",
    )
    trials: int | None = Field(
        None, ge=1, le=100_000, description="Try so many, drawn by chance [default: all]."
    )
    search_seed: int = Field(0, ge=0, lt=2**32, description="Seed of that chance.")

    @property
    def axes(self) -> dict[str, list[Any]]:
        """The values that `--grid` gives, by the name of their setting."""
        return dict(_axis(told) for told in self.grid)

    def features(self, values: Mapping[str, Any]) -> FeatureParameters:
        """Return what is asked of the features, with some values in the place of the flags'."""
        asked = {name: getattr(self, name) for name in FeatureParameters.model_fields}
        tap = {"tap": [values["tap"]]} if "tap" in values else {}
        try:
            return FeatureParameters(**asked | dict(values) | tap)
        except ValidationError as error:
            raise InputError(
                "; ".join(
                    f"{'.'.join(map(str, mistake['loc']))}: {mistake['msg']}. Received: "
                    f"{mistake['input']!r}"
                    for mistake in error.errors()
                )
            ) from None


def _axis(told: str) -> tuple[str, list[Any]]:
    name, equals, values = told.partition("=")
    if not equals or not values:
        raise InputError(f"--grid {told}: expected NAME=VALUE,VALUE")
    name = name.strip().replace("-", "_")
    several = [_value(value.strip()) for value in values.split(",")]
    if name == "hidden_units":
        several = [[int(u) for u in str(v).split("x") if u.isdigit()] for v in several]
    return name, several


def _value(text: str) -> Any:  # noqa: ANN401  what a TOML file would have there
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


@Parameter(name="*")
class PipelineParameters(ExtractParameters, TrainParameters):
    """The parameters of `flows.pipeline`."""


@Parameter(name="*")
class RunsParameters(StoreParameters):
    """The parameters of `flows.runs`."""

    dataset: str | None = Field(None, description="Only runs of this data set.")
    sort_by: str = Field("validation_accuracy", description="Metric that puts the best first.")
    limit: int = Field(20, gt=0, description="list: show so many, at most.")


@Parameter(name="*")
class MaintainParameters(StoreParameters):
    """The parameters of `flows.maintain`."""

    delete: bool = Field(default=False, description="gc: delete what it lists.")
    grace_hours: float = Field(1.0, ge=0, description="gc: leave alone what is younger than this.")
