"""The parameters of whatever flow uses a store, typed once; see flows.parameters.features."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, Token
from prefect.runtime import deployment
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

from stores.features.layers import remember_layers
from stores.layout import locate
from stores.storage.location import Location


def _no_file(store: Location) -> Location:
    # A link that leads nowhere, or to itself, is there, though nothing is at its end.
    places = (store.path, *store.path.absolute().parents)
    nearest = next(place for place in places if os.path.lexists(place))
    if not nearest.is_dir():
        raise ValueError(f"{nearest} is no folder, and no link to one")
    return store


def _located(given: object) -> object:
    return locate(given) if isinstance(given, str | Path) else given


def _typed(_kind: object, tokens: Sequence[Token]) -> str:
    return tokens[0].value


# A store, given by its folder or its address.
Store = Annotated[
    Location,
    BeforeValidator(_located),
    AfterValidator(_no_file),
    WithJsonSchema({"type": "string"}),
    Parameter(converter=_typed, accepts_keys=False, n_tokens=1),
]


def _layer(given: str) -> str:
    """Return what is given of a layer; one that cannot be is refused before a server is told it."""
    if given != "none":
        locate(given)
    return given


@Parameter(name="*")
class StoreParameters(BaseModel):
    """Where everything is kept."""

    model_config = ConfigDict(extra="forbid")

    store: Store = Field(
        locate("feature-store"),
        description="Folder of the feature store, or its address, as s3://bucket/prefix.",
    )

    def unusual(self, **which: Any) -> dict[str, Any]:  # noqa: ANN401  as model_dump has it
        """Return what is not as usual, as JSON has it: the store by its address."""
        told = self.model_dump(mode="json", exclude_defaults=True, **which)
        # Of a field with a serializer of its own, pydantic does not see that it is as usual.
        usual = {
            name
            for name in {"store", "other"} & told.keys()
            if getattr(self, name) == type(self).model_fields[name].get_default()
        }
        return {name: value for name, value in told.items() if name not in usual}

    @property
    def given(self) -> dict[str, Any]:
        """What was said, as JSON has it; without the store."""
        return self.model_dump(mode="json", include=self.said - {"store"})

    @property
    def said(self) -> set[str]:
        """The names of what was said.

        A server's form says everything, so that by a deployment what is as usual was not said.
        """
        return {
            name
            for name in self.model_fields_set
            if not deployment.id
            or getattr(self, name) != type(self).model_fields[name].get_default()
        }


@Parameter(name="*")
class ReaderParameters(StoreParameters):
    """Where features are read from that the store lacks."""

    read_through: list[Annotated[str, AfterValidator(_layer)]] | None = Field(
        None,
        min_length=1,
        description="Folder of another store, of which features are read, and nothing is written; "
        "may be repeated; none ends it [default: what was said the last time].",
    )

    def read_through_layers(self) -> None:
        """Have the store remember what was said of its layers, if anything was."""
        if self.read_through:
            asked = [] if self.read_through == ["none"] else self.read_through
            remember_layers(self.store, [locate(folder) for folder in asked])
