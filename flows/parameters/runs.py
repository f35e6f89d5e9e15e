"""The parameters of the flows that use stored runs, or a store as a whole."""

from pathlib import Path
from typing import Annotated, Self

from cyclopts import Parameter
from pydantic import Field, model_validator

from flows.parameters.groups import DATA, MOST_USED, OUTPUT, RUN
from flows.parameters.store import ReaderParameters, Store, StoreParameters
from flows.parameters.values import Cost, MovedWeights
from tasks.evaluation.set_names import CoverageBy, SetKind
from tasks.export.format_names import ExportFormat
from tasks.features.request import BATCH_SIZE, EngineChoice


@Parameter(name="*")
class PredictParameters(ReaderParameters):
    """The parameters of `flows.predict`."""

    output: Annotated[Path | None, MOST_USED] = Field(
        None, description="File for the table of predictions: .csv, .jsonl, .json or .parquet."
    )
    grid: Annotated[Path | None, OUTPUT] = Field(
        None, description="File (.png) for a picture of the first images with their predictions."
    )
    coverage: Annotated[float | None, MOST_USED] = Field(
        None,
        gt=0,
        lt=1,
        description="Tell for each image a set of classes, which holds the true one for this share "
        "of new images, as 0.9; of a number, an interval. An image whose set is not one class is "
        "unsure.",
    )
    sets: Annotated[SetKind, RUN] = Field(
        "lac",
        description="With --coverage. lac: the smallest sets; empty for an image that is like no "
        "class. aps: never empty, and larger for the images that are hard.",
    )
    coverage_by: Annotated[CoverageBy | None, RUN] = Field(
        None,
        description="With --coverage: that it holds for the images of each class, or for images of "
        "a new group [default: group where the data set has groups, else over all images].",
    )
    cost: Cost = Field([])
    novelty: Annotated[float | None, MOST_USED] = Field(
        None,
        gt=0,
        lt=1,
        description="Mark images that are unlike the training images: those whose p-value is at "
        "most this level, as 0.01. Of images like these, about that share is marked.",
    )
    weights: MovedWeights = None
    engine: Annotated[EngineChoice, RUN] = Field(
        "auto", description="Engine that runs the backbone; auto chooses the fastest."
    )
    batch_size: Annotated[int, RUN] = Field(
        BATCH_SIZE, gt=0, description="Images per batch of the backbone."
    )

    @model_validator(mode="after")
    def _with_coverage(self) -> Self:
        if self.coverage is not None:
            return self
        for name in {"sets", "coverage_by"} & self.model_fields_set:
            if name in self.explicit:  # which imports Prefect
                flag = name.replace("_", "-")
                raise ValueError(f"--{flag} {getattr(self, name)}: needs --coverage, as 0.9")
        return self


@Parameter(name="*")
class ExportParameters(StoreParameters):
    """The parameters of `flows.export`."""

    format: Annotated[list[ExportFormat], MOST_USED] = Field(
        ["saved-model", "keras", "openvino"],
        min_length=1,
        description="Format of the exported model. May be repeated, for several formats. A run at "
        "int8 has openvino alone; onnx needs the extra onnx.",
    )
    force: Annotated[bool, OUTPUT] = Field(
        default=False, description="Replace an exported model that already exists."
    )
    weights: MovedWeights = None


@Parameter(name="*")
class MaintainParameters(StoreParameters):
    """The parameters of `flows.maintain`."""

    other: Annotated[Store | None, RUN, Parameter(name="--from")] = Field(
        None,
        description="merge: folder or address of the store to copy from. It is not changed.",
    )
    delete: Annotated[bool, RUN] = Field(default=False, description="gc: delete the listed files.")
    grace_hours: Annotated[float, RUN] = Field(
        1.0, ge=0, description="gc: keep files younger than this number of hours."
    )


@Parameter(name="*")
class RunsParameters(StoreParameters):
    """The parameters of `flows.runs`."""

    dataset: Annotated[str | None, DATA] = Field(None, description="Only runs of this data set.")
    sort_by: Annotated[str | None, OUTPUT] = Field(
        None,
        description="Metric to sort by, best run first [default: validation_accuracy; of several "
        "labels validation_mean_average_precision, of numbers validation_mean_absolute_error].",
    )
    limit: Annotated[int, OUTPUT] = Field(
        20, gt=0, description="list: maximum number of runs shown per data set."
    )
