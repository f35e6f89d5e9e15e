"""The specification of dense heads."""

from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from tasks.heads.setting_types import (
    Activation,
    ClassWeights,
    Count,
    Optimizer,
    Output,
    Penalty,
    Rate,
    Schedule,
    Share,
    Units,
)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class DenseHead:
    """Optional hidden layers, dropout and an output layer; a feature map is flattened."""

    hidden_units: tuple[Units, ...] = ()
    activation: Activation = "relu"
    dropout: Share = 0.2  # before the output, and between hidden layers
    # logit, sigmoid: one unit for two classes; softmax: one per class; sigmoids: one per label;
    # number: one unit, which is the number.
    output: Output = "softmax"
    optimizer: Optimizer = "adam"
    learning_rate: Rate = 1e-3
    batch_size: Count = 32
    epochs: Count = 20
    schedule: Schedule = "constant"
    l2: Penalty = 0.0  # of the kernels, as keras.regularizers.L2
    label_smoothing: Share = 0.0
    class_weights: ClassWeights = "none"
    batch_norm: bool = False  # between a hidden layer and its activation
    # Early stopping after this number of epochs without a lower loss; restores the best epoch.
    patience: Count | None = None
    standardize: bool = False  # features, by mean and standard deviation of the train images
    kind: Literal["dense"] = "dense"


def units_of(head: DenseHead, classes: int) -> int:
    """Return the number of units of the output layer, for a number of classes or labels."""
    return classes if head.output in {"softmax", "sigmoids"} else 1
