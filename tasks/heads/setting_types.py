"""The types of a head's settings, for specifications, sweeps and flags."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

Output = Literal["logit", "sigmoid", "softmax", "sigmoids", "number"]
Optimizer = Literal["adam", "rmsprop", "sgd"]
Schedule = Literal["constant", "cosine"]
ClassWeights = Literal["none", "balanced"]
Metric = Literal["cosine", "euclidean"]
# The element-wise functions of keras.activations.
Activation = Literal[
    "relu",
    "leaky_relu",
    "relu6",
    "elu",
    "selu",
    "gelu",
    "silu",
    "mish",
    "softplus",
    "tanh",
    "sigmoid",
]


def _number(value: object) -> object:
    if isinstance(value, bool):  # which Python would take for 1 or 0
        raise ValueError("expected a number")  # noqa: TRY004  pydantic's
    return value


_Number = BeforeValidator(_number)
Units = Annotated[int, Field(gt=0, le=65_536), _Number]
Rate = Annotated[float, Field(gt=0, lt=1e6), _Number]
Share = Annotated[float, Field(ge=0, lt=1), _Number]
Count = Annotated[int, Field(gt=0), _Number]
Strength = Annotated[float, Field(gt=0, lt=1e9), _Number]
Penalty = Annotated[float, Field(ge=0, lt=1e9), _Number]
Neighbors = Annotated[int, Field(gt=0, le=10_000), _Number]
