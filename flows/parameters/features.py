"""The parameters of all flows, typed once: for the command line, deployments and docs.

They are apart from the flows, because a class that is defined in a module run as `__main__` is
not the class that is imported, and because `--help` imports them alone.
"""

from typing import Annotated, Any, Literal, Self

from cyclopts import Parameter
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from flows.parameters.datasets import DatasetParameters
from flows.parameters.groups import DATA, FEATURES, MOST_USED, RUN
from flows.parameters.store import ReaderParameters
from flows.parameters.values import NameOrPath, Seed, Side
from flows.stages.runners import Runner, RunnerChoice
from stores.features.recipe import AspectRatio, Decode, Pooling, Precision, StoredDtype
from tasks.backbones.files.description import Preset
from tasks.backbones.files.named_files import is_backbone_file
from tasks.backbones.registry import EFFICIENTNET_LITE0, find_backbone
from tasks.errors import InputError
from tasks.features.request import (
    BATCH_SIZE,
    DEFAULT_TAP,
    SHARD_SIZE,
    EngineChoice,
    FeatureRequest,
)


def _backbone(name: str) -> str:
    """Return a backbone's name, or the path of a file; raises InputError for an unknown name."""
    return name if is_backbone_file(name) else find_backbone(name).name


def _not_int8(precision: object) -> object:
    """Return a precision of advice; raises InputError for int8."""
    if precision == "int8":
        raise InputError(
            "advise measures at float32 or bfloat16; remove the flag, and give int8 to extract"
        )
    return precision


BackboneName = Annotated[NameOrPath, AfterValidator(_backbone)]


@Parameter(name="*")
class FeatureParameters(ReaderParameters):
    """How features are computed: backbone, weights, tap, pooling."""

    backbone: Annotated[BackboneName, MOST_USED] = Field(
        EFFICIENTNET_LITE0,
        description="Pretrained network: one of keras.applications in snake case, such as "
        "resnet50_v2; efficientnet_lite0 to efficientnet_lite2, resnext50, resnext101, alexnet or "
        "lenet5; a FILE (.onnx, .xml, .keras), described by FILE.toml or --preset; or the FOLDER "
        "of a KerasHub preset.",
    )
    image_size: Annotated[Side | None, MOST_USED] = Field(
        None,
        description="Height and width in pixels to which images are resized "
        "[default: the backbone's native size].",
    )
    weights: Annotated[NameOrPath, FEATURES] = Field(
        "imagenet",
        description="Weights of the backbone: imagenet, none (untrained), or a weights file.",
    )
    preset: Annotated[Preset | None, FEATURES] = Field(
        None,
        description="How images are prepared for a FILE as --backbone, before the preset of "
        "FILE.toml, which is not needed then.",
    )
    tap: Annotated[list[str], FEATURES] = Field(
        [DEFAULT_TAP],
        min_length=1,
        description="Layer whose output is the feature. May be repeated, for several features.",
    )
    pooling: Annotated[Pooling, FEATURES] = Field(
        "avg",
        description="Global pooling of a convolutional layer's output; of tokens: cls, mean-tokens "
        "or cls+mean; none: all of the output is stored.",
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
        "supports it. int8: quantised once for the data set, and refused where that costs accuracy "
        "or is not faster.",
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

    def request(self, *, weights_seed: int, dataset: str) -> FeatureRequest:
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
            preset=self.preset,
            dataset=dataset,
        )


@Parameter(name="*")
class ComputeParameters(FeatureParameters, DatasetParameters):
    """Features of a folder or a data set, computed where they are missing."""

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

    @property
    def where(self) -> Runner:
        """Where shards are computed."""
        return Runner()


@Parameter(name="*")
class ExtractParameters(ComputeParameters):
    """The parameters of `flows.extract`."""

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
    pooling: Annotated[Literal["avg", "max", "cls", "mean-tokens", "cls+mean"], FEATURES] = Field(
        "avg", description="Global pooling of a convolutional layer's output."
    )
    precision: Annotated[Literal["float32", "bfloat16"], BeforeValidator(_not_int8), FEATURES] = (
        Field(
            "float32",
            description="Precision in which the backbone computes. bfloat16: only on a CPU that "
            "supports it.",
        )
    )

    def at(self, *taps: str) -> ExtractParameters:
        """Return the same parameters for the features of these taps."""
        values = {name: getattr(self, name) for name in self.explicit}
        return ExtractParameters(**values | {"tap": list(taps)})
