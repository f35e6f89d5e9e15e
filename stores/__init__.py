"""What is on disk: features, manifests and runs. Knows neither Prefect nor TensorFlow."""

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
