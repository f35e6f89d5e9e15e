"""The parameters of all flows, typed once: they serve the command line, deployments and docs.

They live apart from the flows, because a model that is defined in a module run as `__main__` is
not the same class as the one imported.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from cyclopts import Parameter
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    model_validator,
)

from flows.parameters.store import ReaderParameters, Store, StoreParameters
from flows.stages.runners import Runner, RunnerChoice
from stores.features.recipe import AspectRatio, Decode, Pooling, Precision, StoredDtype
from tasks.backbones.registry import EFFICIENTNET_LITE0, find_backbone
from tasks.datasets.folder_layout import check_layout
from tasks.datasets.splits import SplitRule
from tasks.export.format_names import ExportFormat
from tasks.features.engines import EngineChoice
from tasks.features.extract import BATCH_SIZE, SHARD_SIZE
from tasks.features.job import DEFAULT_TAP, FeatureRequest
from tasks.training.repeat_commands import options

Share = Annotated[float, Field(ge=0, lt=1)]
Folder = Annotated[Path, Parameter(validator=lambda _, folder: _check_folder(folder))]
# Without one, a server's form gives an empty text.
OptionalFolder = Annotated[Folder | None, BeforeValidator(lambda given: given or None)]


def _check_folder(folder: Path) -> None:
    from tasks.datasets.folder_listing import check_folder  # which imports more than --help needs

    check_folder(folder.resolve())


def _layout(given: str | None) -> str | None:
    return check_layout(given) if given else None


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
        description="Seed of the split [default: the data set's own; 0 for a new one].",
    )
    test_split: Share | None = Field(
        None, description="Share of all images held out for testing [default: the data set's; 0.2]."
    )
    validation_split: Share | None = Field(
        None, description="Share of the rest used to choose a head [default: the data set's; 0.2]."
    )
    layout: Annotated[str | None, AfterValidator(_layout)] = Field(
        None,
        description="What the folders are: classes, or SPLIT=FOLDER,… as "
        "train=seg_train,test=seg_test; auto: by names and structure "
        "[default: the data set's own; auto for a new one].",
    )
    split_file: Path | None = Field(
        None,
        description="Table that gives each image its split, .csv or .parquet: path,split or "
        "key,split [default: splits are drawn].",
    )
    rehash: bool = Field(default=False, description="Read every file again, changed or not.")

    @property
    def split_rule(self) -> SplitRule:
        """What is asked of the splits."""
        return SplitRule(self.seed, self.test_split, self.validation_split, self.split_file)


@Parameter(name="*")
class FeatureParameters(ReaderParameters):
    """What is made of an image: backbone, weights, tap, pooling."""

    backbone: Annotated[str, AfterValidator(lambda name: find_backbone(name).name)] = Field(
        EFFICIENTNET_LITE0,
        description="Any of keras.applications in snake case, efficientnet_lite0 to _lite2, "
        "resnext50, resnext101, alexnet or lenet5.",
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
        return " ".join(options(FeatureParameters(**asked).unusual()))

    def request(self, *, weights_seed: int) -> FeatureRequest:
        """Return the requested features; the seed is that of untrained weights."""
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
            weights_seed=weights_seed,
            decode=self.decode,
            precision=self.precision,
        )


@Parameter(name="*")
class IngestParameters(DatasetParameters):
    """The parameters of `flows.ingest`."""


@Parameter(name="*")
class ExtractParameters(FeatureParameters, DatasetParameters):
    """The parameters of `flows.extract`."""

    seed: int | None = Field(
        None,
        ge=0,
        lt=2**32,
        description="Seed of the split of a folder, and of untrained weights "
        "[default: the data set's own; 0 for a new one].",
    )
    engine: EngineChoice = Field(
        "auto",
        description="What runs the backbone: auto, keras or openvino; features are the same.",
    )
    batch_size: int = Field(BATCH_SIZE, gt=0, description="Images computed at once.")
    shard_size: int = Field(SHARD_SIZE, gt=0, description="Features kept in one file, at most.")
    runner: RunnerChoice = Field(
        "threads", description="Who computes shards: threads, or dask, the workers of a cluster."
    )
    dask_address: str | None = Field(
        None, description="Of a Dask scheduler, tcp://HOST:PORT [default: a cluster of its own]."
    )

    @model_validator(mode="after")
    def _address_of_dask(self) -> Self:
        if self.dask_address and self.runner != "dask":
            raise ValueError("--dask-address: only with --runner dask")
        return self

    @property
    def where(self) -> Runner:
        """Who computes shards."""
        return Runner(self.runner, self.dask_address)


@Parameter(name="*")
class AdviseParameters(ExtractParameters):
    """The parameters of `flows.advise`."""

    tap: list[str] = Field(
        [],
        description="Layer to compare with the backbone's output, from early to late; may be "
        "repeated [default: the last of each stage].",
    )
    pooling: Literal["avg", "max"] = Field("avg", description="What is done to a map: avg or max.")

    def at(self, *taps: str) -> ExtractParameters:
        """Return what is asked for, of the features of these taps."""
        asked = {name: getattr(self, name) for name in self.said}
        return ExtractParameters(**asked | {"tap": list(taps)})


@Parameter(name="*")
class PredictParameters(ReaderParameters):
    """The parameters of `flows.predict`."""

    output: Path | None = Field(
        None, description="Table of all predictions: .csv, .jsonl, .json or .parquet."
    )
    grid: Path | None = Field(
        None, description="Picture (.png) of the first images with what is said of them."
    )
    weights: str | None = Field(
        None, description="The backbone's weights, where they lie now [default: as for the run]."
    )
    engine: EngineChoice = Field(
        "auto", description="What runs the backbone: auto, keras or openvino."
    )
    batch_size: int = Field(BATCH_SIZE, gt=0, description="Images computed at once.")


@Parameter(name="*")
class ExportParameters(StoreParameters):
    """The parameters of `flows.export`."""

    format: list[ExportFormat] = Field(
        ["saved-model", "keras", "openvino"],
        min_length=1,
        description="What is written; may be repeated.",
    )
    force: bool = Field(default=False, description="Replace an exported model that is there.")
    weights: str | None = Field(
        None, description="The backbone's weights, where they lie now [default: as for the run]."
    )


@Parameter(name="*")
class MaintainParameters(StoreParameters):
    """The parameters of `flows.maintain`."""

    other: Annotated[Store | None, Parameter(name="--from")] = Field(
        None,
        description="merge: folder or address of the store that is taken over; it is only read.",
    )
    delete: bool = Field(default=False, description="gc: delete what it lists.")
    grace_hours: float = Field(1.0, ge=0, description="gc: leave alone what is younger than this.")
