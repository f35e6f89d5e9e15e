"""The parameters of all flows, typed once: for the command line, deployments and docs.

They are apart from the flows, because a class that is defined in a module run as `__main__` is
not the class that is imported, and because `--help` imports them alone.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from cyclopts import Parameter
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from flows.parameters.groups import DATA, FEATURES, MOST_USED, OUTPUT, RUN
from flows.parameters.store import ReaderParameters, StoreParameters
from flows.parameters.values import Seed, Side
from flows.stages.runners import Runner, RunnerChoice
from stores.features.recipe import AspectRatio, Decode, Pooling, Precision, StoredDtype
from stores.keys import Orientation
from tasks.backbones.registry import EFFICIENTNET_LITE0, find_backbone
from tasks.features.request import (
    BATCH_SIZE,
    DEFAULT_TAP,
    SHARD_SIZE,
    EngineChoice,
    FeatureRequest,
)

if TYPE_CHECKING:
    from tasks.datasets.label_table import LabelRule
    from tasks.datasets.splits import SplitRule

Share = Annotated[float, Field(ge=0, lt=1)]
BackboneName = Annotated[str, AfterValidator(lambda name: find_backbone(name).name)]
Folder = Annotated[Path, Parameter(validator=lambda _, folder: _check_folder(folder))]
# A Prefect server's form sends an empty text for no folder.
OptionalFolder = Annotated[Folder | None, BeforeValidator(lambda given: given or None)]


def _check_folder(folder: Path | None) -> None:
    if folder is None:
        return  # the embedded sample
    from tasks.datasets.folder_listing import check_folder  # which imports more than --help needs

    check_folder(folder.resolve())


def _layout(layout: str | None) -> str | None:
    from tasks.datasets.folder_layout import check_layout

    return check_layout(layout) if layout else None


def _pattern(pattern: str | None) -> str | None:
    if pattern is None or pattern == "none":
        return pattern
    from tasks.datasets.groups import check_pattern

    return check_pattern(pattern)


def _column(given: str) -> str:
    name, equals, theirs = given.partition("=")
    if name not in LABEL_COLUMNS or not equals or not theirs:
        raise ValueError(f"expected one of {', '.join(LABEL_COLUMNS)}, = and the name in the table")
    return given


LABEL_COLUMNS = ("path", "label", "split", "group")
Column = Annotated[str, AfterValidator(_column)]


@Parameter(name="*")
class DatasetParameters(StoreParameters):
    """The data set, and how its images are split."""

    dataset: Annotated[str | None, DATA] = Field(
        None, min_length=1, description="Name of the data set [default: the folder's name]."
    )
    seed: Annotated[Seed | None, DATA] = Field(
        None,
        description="Seed of the split [default: the data set's seed; 0 for a new one].",
    )
    test_split: Annotated[Share | None, DATA] = Field(
        None,
        description="Fraction of all images in the test split "
        "[default: the data set's; 0.2 for a new one].",
    )
    validation_split: Annotated[Share | None, DATA] = Field(
        None,
        description="Fraction of the remaining images in the validation split "
        "[default: the data set's; 0.2 for a new one].",
    )
    layout: Annotated[str | None, DATA, AfterValidator(_layout)] = Field(
        None,
        description="What the subfolders are. classes: one per class. SPLIT=FOLDER,…: one per "
        "split, such as train=seg_train,test=seg_test. unlabelled: no classes, features only, of "
        "all images below the folder. auto: detected from names and structure "
        "[default: the data set's; auto for a new one].",
    )
    labels: Annotated[Path | None, DATA] = Field(
        None,
        description="Table with the label of each image, .csv, .tsv, .jsonl or .parquet, with the "
        "columns path, label and optionally split and group; without a column label, the class "
        "folders give it [default: the class folders, or the data set's table].",
    )
    column: Annotated[list[Column] | None, DATA] = Field(
        None,
        description="Name of a column in --labels, such as path=file_name. May be repeated "
        "[default: path, label, split, group].",
    )
    group: Annotated[str | None, DATA] = Field(
        None,
        min_length=1,
        description="Name of the column in --labels with the group of each image: a patient, an "
        "animal, a burst. Images of one group are never in two splits or folds [default: group].",
    )
    group_pattern: Annotated[str | None, DATA, AfterValidator(_pattern)] = Field(
        None,
        min_length=1,
        description="Regular expression that finds an image's group in its path, such as "
        "'animal(\\d+)_'. none: no groups "
        "[default: the data set's].",
    )
    orientation: Annotated[Orientation | None, DATA] = Field(
        None,
        description="How photographs with EXIF rotation are used: turned upright, or as stored "
        "[default: the data set's; upright for a new one].",
    )
    split_file: Annotated[Path | None, DATA] = Field(
        None,
        description="Table with the split of each image, .csv or .parquet, with the columns "
        "path,split or key,split [default: a random split].",
    )
    rehash: Annotated[bool, DATA] = Field(
        default=False, description="Read all files again, even those that have not changed."
    )

    @property
    def split_rule(self) -> "SplitRule":
        """How the images are split."""
        from tasks.datasets.splits import SplitRule

        return SplitRule(self.seed, self.test_split, self.validation_split, self.split_file)

    @property
    def label_rule(self) -> "LabelRule":
        """Where labels and groups come from."""
        from tasks.datasets.label_table import LabelRule

        columns = dict(column.split("=", 1) for column in self.column or ())
        columns |= {"group": self.group} if self.group else {}
        return LabelRule(self.labels, columns, self.group_pattern)

    @model_validator(mode="after")
    def _columns_of_labels(self) -> Self:
        if (self.column or self.group) and not self.labels:
            raise ValueError("--column and --group are of a table; add --labels")
        return self


@Parameter(name="*")
class FeatureParameters(ReaderParameters):
    """How features are computed: backbone, weights, tap, pooling."""

    backbone: Annotated[BackboneName, MOST_USED] = Field(
        EFFICIENTNET_LITE0,
        description="Pretrained network: one of keras.applications in snake case, such as "
        "resnet50_v2; efficientnet_lite0 to efficientnet_lite2, resnext50, resnext101, alexnet or "
        "lenet5.",
    )
    image_size: Annotated[Side | None, MOST_USED] = Field(
        None,
        description="Height and width in pixels to which images are resized "
        "[default: the backbone's native size].",
    )
    weights: Annotated[str, FEATURES] = Field(
        "imagenet",
        description="Weights of the backbone: imagenet, none (untrained), or a weights file.",
    )
    tap: Annotated[list[str], FEATURES] = Field(
        [DEFAULT_TAP],
        min_length=1,
        description="Layer whose output is the feature. May be repeated, for several features.",
    )
    pooling: Annotated[Pooling, FEATURES] = Field(
        "avg",
        description="Global pooling of a convolutional layer's output; none: the whole feature "
        "map is stored.",
    )
    dtype: Annotated[StoredDtype, FEATURES] = Field(
        "float32", description="Data type of stored features."
    )
    crop_to_aspect_ratio: Annotated[bool, FEATURES] = Field(
        default=False, description="Crop images to a square instead of stretching them."
    )
    pad_to_aspect_ratio: Annotated[bool, FEATURES] = Field(
        default=False, description="Pad images to a square instead of stretching them."
    )

    decode: Annotated[Decode, FEATURES] = Field(
        "exact",
        description="How JPEG files are decoded. fast: at a reduced scale, with slightly "
        "different pixels.",
    )
    precision: Annotated[Precision, FEATURES] = Field(
        "float32",
        description="Precision in which the backbone computes. bfloat16: only on a CPU that "
        "supports it.",
    )

    @model_validator(mode="after")
    def _crop_or_pad(self) -> Self:
        if self.crop_to_aspect_ratio and self.pad_to_aspect_ratio:
            raise ValueError("give --crop-to-aspect-ratio or --pad-to-aspect-ratio, not both")
        return self

    @property
    def flags(self) -> str:
        """The flags that request these features, quoted for a shell."""
        from tasks.training.repeat_commands import options

        return " ".join(options(self.features_alone().unusual()))

    def features_alone(self, **changes: Any) -> "FeatureParameters":  # noqa: ANN401
        """Return the parameters of the features, without a flow's other ones, and some changed."""
        own = {name: getattr(self, name) for name in FeatureParameters.model_fields}
        return FeatureParameters(**own | changes)

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

    verbose: Annotated[bool, OUTPUT] = Field(
        default=False, description="Name each file that is rejected or ignored, not only how many."
    )


@Parameter(name="*")
class ExtractParameters(FeatureParameters, DatasetParameters):
    """The parameters of `flows.extract`."""

    seed: Annotated[Seed | None, DATA] = Field(
        None,
        description="Seed of the split of a folder, and of untrained weights "
        "[default: the data set's seed; 0 for a new data set].",
    )
    engine: Annotated[EngineChoice, RUN] = Field(
        "auto",
        description="Engine that runs the backbone. All engines give the same features, up to "
        "rounding; auto chooses the fastest.",
    )
    batch_size: Annotated[int, RUN] = Field(
        BATCH_SIZE, gt=0, description="Images per batch of the backbone."
    )
    shard_size: Annotated[int, RUN] = Field(
        SHARD_SIZE, gt=0, description="Maximum number of images per HDF5 file."
    )
    runner: Annotated[RunnerChoice, RUN] = Field(
        "threads", description="Where features are computed: in threads, or on a Dask cluster."
    )
    dask_address: Annotated[str | None, RUN] = Field(
        None,
        description="Address of a Dask scheduler, tcp://HOST:PORT [default: a new local cluster].",
    )

    @model_validator(mode="after")
    def _address_of_dask(self) -> Self:
        if self.dask_address and self.runner != "dask":
            raise ValueError("--dask-address requires --runner dask")
        return self

    @property
    def where(self) -> Runner:
        """Where shards are computed."""
        return Runner(self.runner, self.dask_address)


@Parameter(name="*")
class AdviseParameters(ExtractParameters):
    """The parameters of `flows.advise`."""

    tap: Annotated[list[str], FEATURES] = Field(
        [],
        description="Layer to compare with the backbone's output. May be repeated, from early to "
        "late layers [default: the last layer of each stage].",
    )
    pooling: Annotated[Literal["avg", "max"], FEATURES] = Field(
        "avg", description="Global pooling of a convolutional layer's output."
    )

    def at(self, *taps: str) -> ExtractParameters:
        """Return the same parameters for the features of these taps."""
        values = {name: getattr(self, name) for name in self.explicit}
        return ExtractParameters(**values | {"tap": list(taps)})
