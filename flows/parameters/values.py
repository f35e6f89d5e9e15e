"""Values that the parameters of several flows take."""

import os
from typing import Annotated

from pydantic import BeforeValidator, Field

from flows.parameters.groups import FEATURES, RUN

Seed = Annotated[int, Field(ge=0, lt=2**32)]
Side = Annotated[int, Field(gt=0, le=4096)]  # of an image, in pixels


def _as_text(given: object) -> object:
    return os.fspath(given) if isinstance(given, os.PathLike) else given


# The text of a name or a path, which a program may also give as a path.
AS_TEXT = BeforeValidator(_as_text)
NameOrPath = Annotated[str, AS_TEXT]
Cost = Annotated[
    list[str],
    RUN,
    Field(
        description="CLASS=NUMBER: what it costs to predict another class for an image of this "
        "class; 1 for the others. May be repeated. Of two classes, false-negative=NUMBER is that "
        "of missing the second, false-positive=NUMBER of missing the first."
    ),
]
MovedWeights = Annotated[
    str | None,
    AS_TEXT,
    FEATURES,
    Field(
        description="Weights file of the backbone, if it was moved [default: the run's weights]."
    ),
]
