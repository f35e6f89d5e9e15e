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
from stores.features import FeatureStore
from stores.keys import ImageKey, Keys
from stores.manifest import Manifest
from stores.recipe import Recipe
from stores.run import Run
from stores.runs import RunStore

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
