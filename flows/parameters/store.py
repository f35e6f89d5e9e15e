"""The parameters of every flow that uses a store, typed once; see flows.parameters.features."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, Token
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

from flows.parameters.groups import DATA, MOST_USED
from stores.layout import locate
from stores.storage.location import Location


def _no_file(store: Location) -> Location:
    # A broken link exists, though nothing is at its end.
    places = (store.path, *store.path.absolute().parents)
    nearest = next(place for place in places if os.path.lexists(place))
    if not nearest.is_dir():
        raise ValueError(f"{nearest} is not a folder")
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
    """Return the folder or address of a layer, or "none"; a malformed address is refused early."""
    if given != "none":
        locate(given)
    return given


def is_deployed() -> bool:
    """Return whether this is a run of a deployment, whose exit code nobody sees."""
    if "prefect" not in sys.modules:
        return False
    from prefect.runtime import deployment

    return bool(deployment.id)


@Parameter(name="*")
class StoreParameters(BaseModel):
    """The feature store."""

    model_config = ConfigDict(extra="forbid")

    store: Annotated[Store, MOST_USED] = Field(
        locate("feature-store"),
        description="Folder of the feature store, or its address, such as s3://bucket/prefix.",
    )

    def unusual(self, **which: Any) -> dict[str, Any]:  # noqa: ANN401  as model_dump has it
        """Return the values that differ from the defaults, as JSON: the store by its address."""
        values = self.model_dump(mode="json", exclude_defaults=True, **which)
        # With a serializer of its own, a field's default is not recognised by pydantic.
        defaults = {name for name in {"store", "other"} & values.keys() if self._is_default(name)}
        return {name: value for name, value in values.items() if name not in defaults}

    @property
    def explicit_values(self) -> dict[str, Any]:
        """The values that were set explicitly, as JSON; without the store."""
        return self.model_dump(mode="json", include=self.explicit - {"store"})

    @property
    def explicit(self) -> set[str]:
        """The names of the parameters that were set explicitly.

        A Prefect server's form sets all of them. In a run of a deployment, a parameter that has
        its default therefore counts as not set.
        """
        deployed = is_deployed()
        return {n for n in self.model_fields_set if not (deployed and self._is_default(n))}

    def _is_default(self, name: str) -> bool:
        return bool(getattr(self, name) == type(self).model_fields[name].get_default())


@Parameter(name="*")
class ReaderParameters(StoreParameters):
    """The other stores from which missing features are read."""

    read_through: Annotated[list[Annotated[str, AfterValidator(_layer)]] | None, DATA] = Field(
        None,
        min_length=1,
        description="Another store, from which missing features are read; nothing is written to "
        "it. May be repeated; none: stop reading other stores [default: the stores of the last "
        "call].",
    )

    def read_through_layers(self) -> None:
        """Record the other stores in the store itself, if --read-through was given."""
        from stores.features.layers import remember_layers

        if self.read_through:
            layers = [] if self.read_through == ["none"] else self.read_through
            remember_layers(self.store, layers)
