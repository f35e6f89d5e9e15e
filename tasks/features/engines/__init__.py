"""Engines run the backbone. A new engine is one module here and one line in `ENGINES`."""

import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from pkgutil import resolve_name
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stores.features.recipe import Recipe
from stores.storage.location import Location
from tasks.backbones.weights import Weights
from tasks.execution.keras_backend import check_backend
from tasks.features.request import EngineChoice, EngineName

ENGINES: dict[EngineName, str] = {
    "keras": "tasks.features.engines.keras_engine:KerasEngine",
    "openvino": "tasks.features.engines.verified:trusted_engine",
}


@dataclass(frozen=True)
class Job:
    """The work of an engine: recipes that differ only in tap, pooling and stored dtype."""

    recipes: tuple[Recipe, ...]
    weights: Weights
    store: Location  # where converted models are kept
    engine: EngineChoice


class Engine(ABC):
    """Computes one array of features per recipe from pixels; thread-safe."""

    name: EngineName  # in shards and summaries
    producer: dict[str, Any]  # hardware and software: the description that is stored with a shard
    feature_shapes: tuple[tuple[int, ...], ...]  # of one row, for each recipe
    parallel: int  # the number of batches that it computes at once
    checked = 0  # rows computed only for a comparison
    _taking = threading.Lock()

    @abstractmethod
    def compute(self, pixels: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Return each recipe's rows (n, *shape) for pixels (n, height, width, 3), 0 to 255."""

    def take_checked(self) -> int:
        """Return the number of rows computed only for a comparison since the last call."""
        with self._taking:
            checked, self.checked = self.checked, 0
        return checked


_building = threading.Lock()


def load_engine(job: Job) -> Engine:
    """Return the engine of a job, which is cached in this process.

    Raises InputError if it cannot be built, WeightsError if the weights do not fit.
    """
    check_backend()
    with _building:
        return _build(job)


@lru_cache(maxsize=1)
def _build(job: Job) -> Engine:
    if job.engine == "auto":
        raise ValueError("choose an engine first, with choose_engine")
    engine: Engine = resolve_name(ENGINES[job.engine])(job)
    return engine
