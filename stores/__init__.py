"""What is on disk: features, manifests and runs. Each public name is imported when it is used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stores.errors import (
        CorruptStore,
        DisagreeingProducers,
        MissingFeatures,
        NewerFormat,
        NotInStore,
        StoreError,
        StoreFull,
        StoreReadOnly,
        StoreRefused,
        UnfitFeatures,
    )
    from stores.features.recipe import Recipe
    from stores.features.store import FeatureStore
    from stores.keys import ImageKey, Keys
    from stores.manifest import Manifest
    from stores.runs.record import Run
    from stores.runs.store import RunStore

_HOMES = {
    "FeatureStore": "stores.features.store",
    "ImageKey": "stores.keys",
    "Keys": "stores.keys",
    "Manifest": "stores.manifest",
    "Recipe": "stores.features.recipe",
    "Run": "stores.runs.record",
    "RunStore": "stores.runs.store",
}  # all others are errors

__all__ = [
    "CorruptStore",
    "DisagreeingProducers",
    "FeatureStore",
    "ImageKey",
    "Keys",
    "Manifest",
    "MissingFeatures",
    "NewerFormat",
    "NotInStore",
    "Recipe",
    "Run",
    "RunStore",
    "StoreError",
    "StoreFull",
    "StoreReadOnly",
    "StoreRefused",
    "UnfitFeatures",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401  whatever the name stands for
    if name not in __all__:
        raise AttributeError(f"module 'stores' has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "stores.errors")), name)
