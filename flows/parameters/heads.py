"""The parameters of the flows that train heads, typed once; see flows.parameters.features."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Self

from cyclopts import Parameter
from pydantic import Field, ValidationError, model_validator

from flows.parameters.features import ExtractParameters, FeatureParameters
from flows.parameters.grid import axis_of
from flows.parameters.groups import DATA, HEAD, MOST_USED, RUN
from flows.parameters.values import Cost, Seed
from tasks.datasets.fold_count import FoldCount, check_fold_seed
from tasks.errors import InputError
from tasks.heads.presets import DEFAULT_HEADS, HeadName
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

if TYPE_CHECKING:  # `--help` imports no numpy
    from stores.targets import Target


@Parameter(name="*")
class TrainParameters(FeatureParameters):
    """The parameters of `flows.train`."""

    seed: Annotated[Seed | None, DATA] = Field(
        None,
        description="Seed of the head, and of untrained weights [default: the seed of the split].",
    )
    head: Annotated[list[HeadName] | None, MOST_USED] = Field(
        None,
        min_length=1,
        description="Kind of head, or a preset. May be repeated: the best head on validation is "
        "chosen [default: dense, logistic and svm; for several labels dense, logistic and ridge; "
        "for a number ridge, dense and knn].",
    )
    folds: Annotated[FoldCount, HEAD] = Field(
        0,
        description="Number of folds for cross-validation on the train and validation splits; "
        "the head is then trained on both. 0: train on train, evaluate on validation.",
    )
    fold_seed: Annotated[Seed, HEAD] = Field(
        0, description="Seed of the assignment of images to folds."
    )
    hidden_units: Annotated[list[Units] | None, HEAD] = Field(
        None,
        description="dense: units of a hidden layer. May be repeated, once per layer "
        "[default: no hidden layer; for several labels or a number, one of 128 units].",
    )
    activation: Annotated[Activation | None, HEAD] = Field(
        None, description="dense: activation of the hidden layers [default: relu]."
    )
    dropout: Annotated[Share | None, HEAD] = Field(
        None, description="dense: dropout rate before the output layer [default: 0.2]."
    )
    optimizer: Annotated[Optimizer | None, HEAD] = Field(
        None, description="dense: optimizer [default: adam]."
    )
    learning_rate: Annotated[Rate | None, HEAD] = Field(
        None,
        description="dense: learning rate [default: 0.001; for several labels or a number, 0.005].",
    )
    schedule: Annotated[Schedule | None, HEAD] = Field(
        None, description="dense: learning rate schedule [default: constant]."
    )
    epochs: Annotated[Count | None, HEAD] = Field(
        None,
        description="dense: number of epochs [default: 20; for several labels or a number, 30].",
    )
    patience: Annotated[Count | None, HEAD] = Field(
        None,
        description="dense: stop after this number of epochs without a lower loss, and restore "
        "the best epoch. The loss is computed on a fifth of the train split, which is held out "
        "for this [default: no early stopping].",
    )
    head_batch_size: Annotated[Count | None, HEAD] = Field(
        None, description="dense: batch size [default: 32]."
    )
    l2: Annotated[Penalty | None, HEAD] = Field(
        None, description="dense: L2 penalty of the kernels [default: 0]."
    )
    label_smoothing: Annotated[Share | None, HEAD] = Field(
        None, description="dense: label smoothing [default: 0]."
    )
    batch_norm: Annotated[bool | None, HEAD] = Field(
        None, description="dense: batch normalization in the hidden layers."
    )
    inverse_regularization: Annotated[Strength | None, HEAD] = Field(
        None,
        description="logistic, svm: inverse of the regularization strength, C "
        "[default: logistic 0.1, svm 0.01].",
    )
    penalty: Annotated[Penalty | None, HEAD] = Field(
        None, description="ridge: regularization strength, alpha [default: 100]."
    )
    neighbors: Annotated[Neighbors | None, HEAD] = Field(
        None, description="knn: number of neighbors [default: 5]."
    )
    metric: Annotated[Metric | None, HEAD] = Field(
        None, description="knn: distance metric [default: cosine]."
    )
    class_weights: Annotated[ClassWeights | None, HEAD] = Field(
        None,
        description="dense, logistic, svm: class weights. balanced: inversely proportional to "
        "class frequencies [default: none].",
    )
    standardize: Annotated[bool | None, HEAD, Parameter(negative="--no-standardize")] = Field(
        None,
        description="Standardize features to zero mean and unit variance on the train split "
        "[default: for logistic, svm, ridge and centroid; for several labels or a number, for "
        "dense too].",
    )

    @model_validator(mode="after")
    def _one_tap(self) -> Self:
        if len(self.tap) != 1:
            raise ValueError(f"--tap {', '.join(self.tap)}: expected one tap, received several")
        return self

    @property
    def head_settings(self) -> dict[str, Any]:
        """The settings of the heads that were given, by the names of the specifications."""
        names = set(TrainParameters.model_fields) - set(FeatureParameters.model_fields)
        settings = self.model_dump(
            include=names - {"seed", "head", "folds", "fold_seed"}, exclude_none=True
        )
        if "head_batch_size" in settings:
            settings["batch_size"] = settings.pop("head_batch_size")
        return settings

    def heads_for(self, target: "Target") -> list[str]:
        """Return the names of the requested heads, or of those that are trained by default."""
        return self.head or list(DEFAULT_HEADS[target])

    @property
    def dealt(self) -> tuple[int, int]:
        """The number of folds for cross-validation, and their seed."""
        check_fold_seed(self.folds, self.fold_seed)
        return self.folds, self.fold_seed


@Parameter(name="*")
class OpenTestParameters(TrainParameters):
    """The parameters of `flows.train`. The pipeline always evaluates the test split, once."""

    open_test: Annotated[bool, RUN] = Field(
        default=False,
        description="Evaluate the chosen head on the test split. Each test evaluation is recorded.",
    )


@Parameter(name="*")
class SweepParameters(OpenTestParameters):
    """The parameters of `flows.sweep`."""

    grid: Annotated[list[str], MOST_USED] = Field(
        [],
        description="NAME=VALUE,VALUE,…: values of a setting of the heads or the features, or of "
        "the seed. May be repeated: all combinations are trials. hidden_units as 256 or 512x256.",
    )
    trials: Annotated[int | None, MOST_USED] = Field(
        None,
        ge=1,
        le=100_000,
        description="Number of random trials [default: all combinations].",
    )
    search_seed: Annotated[Seed, RUN] = Field(0, description="Seed of the random trials.")
    guided: Annotated[bool, RUN] = Field(
        default=False,
        description="Choose each trial by the results of earlier ones, with Optuna.",
    )
    cost: Cost = Field([])

    @property
    def search(self) -> dict[str, Any]:
        """The options of the search and of cross-validation that were set explicitly."""
        names = {"folds", "fold_seed", "trials", "search_seed", "guided"}
        return {name: getattr(self, name) for name in self.explicit & names}

    @property
    def explicit_settings(self) -> set[str]:
        """The settings that were set by flags, by their names in `--grid`."""
        own_names = {"head_batch_size": "batch_size"}
        return {own_names.get(name, name) for name in self.explicit}

    @property
    def axes(self) -> dict[str, list[Any]]:
        """The values of `--grid`, by the name of the setting."""
        axes: dict[str, list[Any]] = {}
        for text in self.grid:
            name, values = axis_of(text)
            if name in axes:
                raise InputError(f"--grid {text}: {name} is repeated: give all values at once")
            axes[name] = values
        return axes

    def features(self, values: Mapping[str, Any]) -> FeatureParameters:
        """Return the parameters of the features, with some values instead of the flags'."""
        tap = {"tap": [values["tap"]]} if "tap" in values else {}
        try:
            return self.features_alone(**dict(values) | tap)
        except ValidationError as error:
            raise InputError(
                "; ".join(
                    f"{'.'.join(map(str, mistake['loc']))}: {mistake['msg']}. Received: "
                    f"{mistake['input']!r}"
                    for mistake in error.errors()
                )
            ) from None


@Parameter(name="*")
class PipelineParameters(ExtractParameters, TrainParameters):
    """The parameters of `flows.pipeline`."""

    cost: Cost = Field([])
    seed: Annotated[Seed | None, DATA] = Field(
        None,
        description="One seed for the split, the head and untrained weights "
        "[default: the data set's seed; 0 for a new data set].",
    )
