"""Transfer learning on your own images: the public names, each imported when it is used.

Example:
    >>> import gargalo
    >>> manifest = gargalo.Manifest.read("feature-store", "photos")
    >>> features = gargalo.FeatureStore.open("feature-store", "158d65fe7b08b459")
    >>> rows = features.read(manifest.select("train").keys)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stores.errors import StoreError
    from stores.features.store import FeatureStore
    from stores.manifest import Manifest
    from stores.runs.store import RunStore
    from tasks.errors import InputError
    from tasks.features.tf_dataset import feature_dataset
    from tasks.heads.sklearn_estimator import HeadClassifier

_HOMES = {
    "FeatureStore": "stores.features.store",
    "HeadClassifier": "tasks.heads.sklearn_estimator",
    "InputError": "tasks.errors",
    "Manifest": "stores.manifest",
    "RunStore": "stores.runs.store",
    "StoreError": "stores.errors",
    "feature_dataset": "tasks.features.tf_dataset",
}

__all__ = [
    "FeatureStore",
    "HeadClassifier",
    "InputError",
    "Manifest",
    "RunStore",
    "StoreError",
    "feature_dataset",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401  whatever the name stands for
    if name not in _HOMES:
        raise AttributeError(f"module 'gargalo' has no attribute {name!r}; it has {__all__}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
