"""The values that a head's settings can take, the same in specifications, sweeps and flags."""

from typing import Annotated, Literal

from pydantic import Field

Output = Literal["logit", "sigmoid", "softmax"]
Optimizer = Literal["adam", "rmsprop", "sgd"]
Schedule = Literal["constant", "cosine"]
ClassWeights = Literal["none", "balanced"]
Metric = Literal["cosine", "euclidean"]
# Those of keras.activations that work on each value by itself.
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
Units = Annotated[int, Field(gt=0, le=65_536)]
Rate = Annotated[float, Field(gt=0, lt=1e6)]
Share = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(gt=0)]
Strength = Annotated[float, Field(gt=0, lt=1e9)]
Penalty = Annotated[float, Field(ge=0, lt=1e9)]
Neighbors = Annotated[int, Field(gt=0, le=10_000)]
