"""The parameters of the flows that train heads, typed once; see flows.parameters.features."""

import tomllib
from collections.abc import Mapping
from typing import Annotated, Any, Self

from cyclopts import Parameter
from pydantic import Field, ValidationError, model_validator

from flows.parameters.features import ExtractParameters, FeatureParameters
from flows.parameters.store import StoreParameters
from tasks.datasets.folds import FoldCount, check_fold_seed
from tasks.errors import InputError
from tasks.heads.presets import HeadName
from tasks.heads.setting_types import (
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


@Parameter(name="*")
class TrainParameters(FeatureParameters):
    """The parameters of `flows.train`."""

    seed: int | None = Field(
        None,
        ge=0,
        lt=2**32,
        description="Seed of the heads, and of untrained weights [default: that of the split].",
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
    fold_seed: int = Field(
        0, ge=0, lt=2**32, description="Seed by which the images are dealt to the folds."
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
        description="End after N epochs without a better loss, and take the best epoch. The loss "
        "is that of a fifth of the training images, which are set aside for it: validation only "
        "measures [default: all epochs, and the last].",
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
        given = self.model_dump(
            include=names - {"seed", "head", "folds", "fold_seed"}, exclude_none=True
        )
        if "head_batch_size" in given:
            given["batch_size"] = given.pop("head_batch_size")
        return given

    @property
    def dealt(self) -> tuple[int, int]:
        """The number of folds that the heads are measured by, and their seed."""
        check_fold_seed(self.folds, self.fold_seed)
        return self.folds, self.fold_seed


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
    guided: bool = Field(
        default=False,
        description="Let what came of some trials decide which are tried next (by Optuna).",
    )

    @property
    def search(self) -> dict[str, Any]:
        """How the trials are searched and measured, as far as that was said."""
        names = {"folds", "fold_seed", "trials", "search_seed", "guided"}
        return {name: getattr(self, name) for name in self.said & names}

    @property
    def settings_said(self) -> set[str]:
        """The settings that flags say, as `--grid` calls them."""
        own_names = {"head_batch_size": "batch_size"}
        return {own_names.get(name, name) for name in self.said}

    @property
    def axes(self) -> dict[str, list[Any]]:
        """The values that `--grid` gives, by the name of their setting."""
        axes: dict[str, list[Any]] = {}
        for told in self.grid:
            name, values = _axis(told)
            if name in axes:
                raise InputError(f"--grid {told}: {name} was given before; give all values at once")
            axes[name] = values
        return axes

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
        several = [_layers(told, value) for value in values.split(",")]
    return name, several


def _layers(told: str, value: str) -> list[int]:
    units = value.strip().split("x")
    if not all(unit.isdigit() for unit in units):
        raise InputError(f"--grid {told}: expected layers as 256 or 512x256. Received: {value!r}")
    return [int(unit) for unit in units]


def _value(text: str) -> Any:  # noqa: ANN401  what a TOML file would have there
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


@Parameter(name="*")
class PipelineParameters(ExtractParameters, TrainParameters):
    """The parameters of `flows.pipeline`."""

    seed: int | None = Field(
        None,
        ge=0,
        lt=2**32,
        description="One seed for three things: the split, the heads and untrained weights "
        "[default: the data set's own; 0 for a new one].",
    )


@Parameter(name="*")
class RunsParameters(StoreParameters):
    """The parameters of `flows.runs`."""

    dataset: str | None = Field(None, description="Only runs of this data set.")
    sort_by: str = Field("validation_accuracy", description="Metric that puts the best first.")
    limit: int = Field(20, gt=0, description="list: show so many of each data set, at most.")
