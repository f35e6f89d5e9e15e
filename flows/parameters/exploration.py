"""The parameters of the flows that look at images by their features."""

from pathlib import Path
from typing import Annotated, Literal, Self

from cyclopts import Parameter
from pydantic import BeforeValidator, Field, model_validator

from flows.parameters.features import ComputeParameters, FeatureParameters
from flows.parameters.groups import MOST_USED, OUTPUT
from flows.parameters.store import ReaderParameters
from tasks.exploration.method_names import LabelMethod

MOST_CLUSTERS = 500


def _cluster_count(given: object) -> object:
    """Return a number of clusters, or auto; raises ValueError for anything else."""
    if given == "auto":
        return given
    try:
        count = int(str(given))
    except ValueError:
        count = 0
    if not 2 <= count <= MOST_CLUSTERS:
        raise ValueError(f"expected auto, or a number from 2 to {MOST_CLUSTERS}")
    return count


_OF_FEATURES = set(FeatureParameters.model_fields) - set(ReaderParameters.model_fields)


@Parameter(name="*")
class ExploreParameters(ComputeParameters):
    """By which features images are looked at."""

    run: Annotated[str | None, MOST_USED] = Field(
        None,
        min_length=1,
        description="Run whose features are used, by its id or the beginning of it; features that "
        "are missing are computed and not stored [default: those of the flags of features].",
    )
    output: Annotated[Path | None, MOST_USED] = Field(
        None, description="File for the table: .csv, .jsonl, .json or .parquet."
    )

    @model_validator(mode="after")
    def _one_feature(self) -> Self:
        given = (_OF_FEATURES - {"weights"}) & self.model_fields_set
        if self.run and given and self.unusual(include=given):
            flags = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(given))
            raise ValueError(f"{flags}: --run has its own features; remove one of the two")
        if len(self.tap) > 1:
            raise ValueError(f"--tap {', '.join(self.tap)}: expected one tap, received several")
        return self

    @property
    def moved_weights(self) -> str | None:
        """The weights file of the run's backbone, if it was moved."""
        return self.weights if "weights" in self.explicit else None


@Parameter(name="*")
class SimilarParameters(ExploreParameters):
    """The parameters of `flows.similar`."""

    within: Annotated[str | None, MOST_USED, Parameter(name="--in")] = Field(
        None,
        min_length=1,
        description="Data set that is searched, by its name, or a folder of images, which is "
        "ingested first [default: the run's data set, or the only one in the store].",
    )
    k: Annotated[int, MOST_USED, Parameter(name="-k")] = Field(
        10, gt=0, le=10_000, description="Number of similar images for each image."
    )
    grid: Annotated[Path | None, OUTPUT] = Field(
        None, description="File (.png) for a picture of the first images with their similar ones."
    )


@Parameter(name="*")
class NextParameters(ExploreParameters):
    """The parameters of `flows.next`."""

    run: Annotated[str | None, MOST_USED] = Field(
        None,
        min_length=1,
        description="Run that says which images are uncertain, by its id or the beginning of it; "
        "its features are used [default: none, and the features are those of the flags].",
    )
    k: Annotated[int, MOST_USED, Parameter(name="-k")] = Field(
        100, gt=0, le=1000, description="Number of images to label next."
    )
    labelled: Annotated[str | None, MOST_USED] = Field(
        None,
        min_length=1,
        description="Data set whose images have a label already; they and copies of them are left "
        "out [default: the run's data set].",
    )
    method: Annotated[LabelMethod, MOST_USED] = Field(
        "auto",
        description="typical: of the images around it; uncertain: by the run, and far from one "
        "another; auto: typical up to 10 labels a class or without a run, then uncertain.",
    )
    grid: Annotated[Path | None, OUTPUT] = Field(
        None, description="File (.png) for a picture of the first of these images."
    )


@Parameter(name="*")
class ClustersParameters(ExploreParameters):
    """The parameters of `flows.clusters`."""

    k: Annotated[
        int | Literal["auto"], BeforeValidator(_cluster_count), MOST_USED, Parameter(name="-k")
    ] = Field("auto", description="Number of clusters; auto: as many, up to 50, as separate best.")
    page: Annotated[Path | None, MOST_USED] = Field(
        None, description="File (.html) for a page with the most central images of each cluster."
    )
