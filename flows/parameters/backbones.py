"""The parameters of `flows.backbone`."""

from typing import Annotated

from cyclopts import Parameter
from pydantic import BaseModel, ConfigDict, Field

from flows.parameters.groups import MOST_USED
from tasks.backbones.files.description import Preset


@Parameter(name="*")
class BackboneParameters(BaseModel):
    """What the draft of a description has."""

    model_config = ConfigDict(extra="forbid")

    preset: Annotated[Preset, MOST_USED] = Field(
        "raw", description="How images are prepared, which no file says; raw: pixels from 0 to 255."
    )
