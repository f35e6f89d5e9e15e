"""The parameters of `flows.review`."""

from typing import Annotated

from cyclopts import Parameter
from pydantic import Field

from flows.parameters.groups import MOST_USED, OUTPUT, RUN
from flows.parameters.store import StoreParameters


@Parameter(name="*")
class ReviewParameters(StoreParameters):
    """The parameters of `flows.review`."""

    run: Annotated[list[str] | None, MOST_USED] = Field(
        None,
        min_length=1,
        description="Run whose predictions are shown beside the labels. May be repeated, to see "
        "where heads differ [default: the best run of the data set].",
    )
    port: Annotated[int, RUN] = Field(
        0, ge=0, lt=2**16, description="Port of the page on 127.0.0.1; 0: any that is free."
    )
    no_browser: Annotated[bool, OUTPUT] = Field(
        default=False, description="Only print the address of the page."
    )
