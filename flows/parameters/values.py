"""Values that the parameters of several flows take."""

from typing import Annotated

from pydantic import Field

from flows.parameters.groups import FEATURES

Seed = Annotated[int, Field(ge=0, lt=2**32)]
Side = Annotated[int, Field(gt=0, le=4096)]  # of an image, in pixels
MovedWeights = Annotated[
    str | None,
    FEATURES,
    Field(
        description="Weights file of the backbone, if it was moved [default: the run's weights]."
    ),
]
