"""What executes the backbone. A new engine is one module here and one line in `ENGINES`."""

import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stores.features.recipe import Recipe
from tasks.backbones.weights import Weights
from tasks.execution.keras_backend import check_backend
from tasks.features.request import EngineChoice, EngineName

ENGINES: dict[EngineName, str] = {
    "keras": "tasks.features.engines.keras_engine:KerasEngine",
    "openvino": "tasks.features.engines.verified:TrustedEngine",
}


@dataclass(frozen=True)
class Job:
    """What an engine computes: recipes that differ in nothing but tap, pooling and stored dtype."""

    recipes: tuple[Recipe, ...]
    weights: Weights
    store: Path  # where converted models are kept
    engine: EngineChoice


class Engine(Protocol):
    """Pixels in, one array of features a recipe out; threads may share one."""

    @property
    def name(self) -> EngineName:
        """What it is called in shards and summaries."""

    @property
    def producer(self) -> dict[str, Any]:
        """What the shard says of who computed it."""

    @property
    def feature_shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shape of one row, for each recipe."""

    @property
    def parallel(self) -> int:
        """How many batches it computes at once."""

    def compute(self, pixels: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Return each recipe's rows (n, *shape) for pixels (n, height, width, 3), 0 to 255."""

    def take_checked(self) -> int:
        """Return how many rows were computed only to be compared since this was last asked."""


_building = threading.Lock()


def load_engine(job: Job) -> Engine:
    """Return the engine of a job, kept in this process from one shard to the next.

    Raises InputError where it cannot be built, WeightsError where the weights do not fit.
    """
    check_backend()
    with _building:
        return _build(job)


@lru_cache(maxsize=1)
def _build(job: Job) -> Engine:
    if job.engine == "auto":
        raise ValueError("an engine has to be chosen first")
    engine: Engine = resolve_name(ENGINES[job.engine])(job)
    return engine
